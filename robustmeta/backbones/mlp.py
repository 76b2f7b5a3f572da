"""Layers that see every pixel."""

from collections import OrderedDict
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import nn

from robustmeta.backbones.norms import Kind, looks_at_one_image, norm_layer
from robustmeta.config.components import Backbone, component


class _Mlp(nn.Sequential):
    features: int


@component("mlp", paper="Finn et al. 2017, Model-Agnostic Meta-Learning, section 5.2 (without convolutions)")
class Mlp(Backbone):
    """Layers of linear map, normalisation and ReLU on the pixels of an image.

    Fields: hidden, the width of each layer; norm, as that of conv4.
    """

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(256, 128, 64, 64), min_length=1)
    norm: Kind = "auto"

    def build(self, size: int, channels: int) -> nn.Module:
        """(N, channels, size, size) -> (N, last width). Weights by He et al. 2015; draws from torch's global RNG."""
        widths = [channels * size**2, *self.hidden]
        layers = {f"layer{i}": self._layer(*pair) for i, pair in enumerate(pairwise(widths))}
        net = _Mlp(OrderedDict({"row": nn.Flatten(), **layers}))
        net.features = self.hidden[-1]
        return net

    def alone(self) -> bool:
        """True unless ``norm`` looks at the other images of a task."""
        return looks_at_one_image(self.norm)

    def _layer(self, before: int, width: int) -> nn.Sequential:
        linear = nn.Linear(before, width, bias=self.norm == "none")
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        if linear.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            nn.init.zeros_(linear.bias)
        site = nn.Unflatten(1, (width, 1, 1))  # normalisation is of maps; these have one site
        layers = {"linear": linear, "site": site, "norm": norm_layer(self.norm, width), "relu": nn.ReLU()}
        return nn.Sequential(OrderedDict({**layers, "row": nn.Flatten()}))
