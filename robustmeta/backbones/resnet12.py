"""A residual network of twelve convolutions."""

from collections import OrderedDict
from typing import ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from robustmeta.backbones.norms import Kind, looks_at_one_image, norm_layer
from robustmeta.backbones.pooling import SiteMean
from robustmeta.config.components import Backbone, component
from robustmeta.core import StudyError

SMALLEST = 16
SLOPE = 0.1


class _Block(nn.Module):
    """Three 3x3 convolutions beside a 1x1 convolution, then 2x2 max pooling."""

    def __init__(self, channels: int, width: int, norm: Kind) -> None:
        super().__init__()
        self.layers = nn.ModuleList([_normed(channels if i == 0 else width, width, 3, norm) for i in range(3)])
        self.short = _normed(channels, width, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.layers
        y = F.leaky_relu(first(x), SLOPE)
        y = F.leaky_relu(second(y), SLOPE)
        return F.leaky_relu(F.max_pool2d(third(y) + self.short(x), 2), SLOPE)  # commute; cheaper in this order


def _normed(channels: int, width: int, kernel: int, norm: Kind) -> nn.Sequential:
    conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=norm == "none")
    nn.init.kaiming_normal_(conv.weight, a=SLOPE, mode="fan_out", nonlinearity="leaky_relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return nn.Sequential(OrderedDict({"conv": conv, "norm": norm_layer(norm, width)}))


class _ResNet12(nn.Sequential):
    features: int


@component(
    "resnet12", paper="Lee et al. 2019, Meta-Learning with Differentiable Convex Optimization, section 4.1 (ResNet-12)"
)
class ResNet12(Backbone):
    """Four residual blocks of three 3x3 convolutions, leaky ReLU of slope 0.1 and halving, then the mean over sites.

    Fields: width, channels of the first block, of which the others have 2.5, 5 and 10 times as many (64 is the
    published 64-160-320-640; a CPU wants 8 or 16); norm, as that of conv4. There is no DropBlock: networks here have no
    randomness of their own.
    """

    shares: ClassVar[tuple[float, ...]] = (1, 2.5, 5, 10)

    width: int = Field(default=64, ge=2, multiple_of=2)
    norm: Kind = "auto"

    def build(self, size: int, channels: int) -> nn.Module:
        """(N, channels, size, size) -> (N, 10 width). Weights by He et al. 2015; draws from torch's global RNG."""
        if size < SMALLEST:
            raise StudyError(
                f"resnet12 halves an image four times: it needs {SMALLEST} pixels or more, got {size}; raise "
                "images.size"
            )
        widths = [int(self.width * share) for share in self.shares]
        pairs = zip([channels, *widths[:-1]], widths, strict=True)
        blocks = {f"block{i}": _Block(before, width, self.norm) for i, (before, width) in enumerate(pairs)}
        net = _ResNet12(OrderedDict({**blocks, "mean": SiteMean(), "row": nn.Flatten()}))
        net.features = widths[-1]
        return net

    def alone(self) -> bool:
        """True unless ``norm`` looks at the other images of a task."""
        return looks_at_one_image(self.norm)
