"""Four convolutions."""

from collections import OrderedDict
from typing import Literal

from pydantic import Field
from torch import nn

from robustmeta.config.components import Backbone, component
from robustmeta.core import StudyError
from robustmeta.nets import Mode, Norm

SMALLEST = 16


class _Conv4(nn.Sequential):
    features: int


def _norm(kind: Mode | Literal["group", "none"], width: int) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    if kind == "group":  # 16 channels a group: with fewer, the last map's few sites would be normalised away
        return nn.GroupNorm(width // 16 if width % 16 == 0 else 1, width)
    return Norm(width, kind)


@component("conv4", paper="Vinyals et al. 2016, Matching Networks for One Shot Learning, section 4.1.1")
class Conv4(Backbone):
    """Four blocks of 3x3 convolution, normalisation, ReLU and halving, then all features in one row.

    Fields: width, channels of every block; down, halve by a stride of 2 (about three times as fast) or by 2x2 max
    pooling; norm, whose statistics normalise a query: the support's where weights adapt and running ones otherwise
    (``auto``), those of all queries together (``batch``, transductive), those of the support and this one query
    (``support_plus_one``, costly), running ones of each inner step with scales and shifts of its own (``per_step``,
    MAML alone), or a normalisation without such (``group``, ``none``). A stride rounds up: 28 pixels give 2x2
    features; pooling rounds down to 1x1.
    """

    width: int = Field(default=64, ge=1)
    down: Literal["stride", "pool"] = "stride"
    norm: Mode | Literal["group", "none"] = "auto"

    def build(self, size: int, channels: int) -> nn.Module:
        """(N, channels, size, size) -> (N, features). Weights by He et al. 2015; draws from torch's global RNG."""
        if size < SMALLEST:
            raise StudyError(f"conv4 halves an image four times: it needs {SMALLEST} pixels or more, got {size}")
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for i in range(4):
            blocks[f"block{i}"] = self._block(channels if i == 0 else self.width)
            size = (size + 1) // 2 if self.down == "stride" else size // 2
        net = _Conv4(blocks)
        net.append(nn.Flatten())
        net.features = self.width * size**2
        return net

    def alone(self) -> bool:
        """True unless ``norm`` looks at the other images of a task."""
        return self.norm in ("auto", "per_step", "group", "none")

    def _block(self, channels: int) -> nn.Sequential:
        stride = 2 if self.down == "stride" else 1
        conv = nn.Conv2d(channels, self.width, 3, stride, padding=1, bias=self.norm == "none")
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        down = nn.Identity() if self.down == "stride" else nn.MaxPool2d(2)
        layers = {"conv": conv, "norm": _norm(self.norm, self.width), "relu": nn.ReLU(), "down": down}
        return nn.Sequential(OrderedDict(layers))
