"""A chain of equal convolutions."""

from abc import ABC
from collections import OrderedDict
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from robustmeta.backbones.norms import Kind, looks_at_one_image, norm_layer
from robustmeta.config.components import Backbone
from robustmeta.core import StudyError

HALVINGS = 4
SMALLEST = 2**HALVINGS


class _Chain(nn.Sequential):
    features: int
    map: tuple[int, int, int]


class ConvBlocks(Backbone, ABC):
    """``depth`` blocks of 3x3 convolution, normalisation and ReLU, of which the first four halve the image.

    They pool before the ReLU, which commutes with a maximum and is cheaper behind it.
    """

    depth: ClassVar[int]

    width: int = Field(default=64, ge=1)
    down: Literal["stride", "pool"] = "stride"
    norm: Kind = "auto"

    def build(self, size: int, channels: int) -> nn.Module:
        """(N, channels, size, size) -> (N, features). Weights by He et al. 2015; draws from torch's global RNG."""
        if size < SMALLEST:
            raise StudyError(
                f"{self.name} halves an image four times: it needs {SMALLEST} pixels or more, got {size}; raise "
                "images.size"
            )
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(self.depth):
            blocks[f"block{i}"] = self._block(channels if i == 0 else self.width, halves=i < HALVINGS)
        for _ in range(HALVINGS):
            size = (size + 1) // 2 if self.down == "stride" else size // 2
        net = _Chain(blocks)
        net.append(nn.Flatten())
        net.features, net.map = self.width * size**2, (self.width, size, size)
        return net

    def alone(self) -> bool:
        """True unless ``norm`` looks at the other images of a task."""
        return looks_at_one_image(self.norm)

    def _block(self, channels: int, *, halves: bool) -> nn.Sequential:
        stride = 2 if halves and self.down == "stride" else 1
        conv = nn.Conv2d(channels, self.width, 3, stride, padding=1, bias=self.norm == "none")
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        down = nn.MaxPool2d(2) if halves and self.down == "pool" else nn.Identity()
        layers = {"conv": conv, "norm": norm_layer(self.norm, self.width), "down": down, "relu": nn.ReLU(inplace=True)}
        return nn.Sequential(OrderedDict(layers))
