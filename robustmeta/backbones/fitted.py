"""Networks of libraries made fit for tasks: any canvas, no chance, statistics that the caller chooses."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from robustmeta.backbones.pooling import SiteMean
from robustmeta.core import StudyError
from robustmeta.nets import Mode, Norm, replace_layers

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of an RGB image of ImageNet in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Body:
    """A library's network without its head, which stood under the names ``head``, and how images are normalised."""

    net: nn.Module
    head: tuple[str, ...]
    mean: Sequence[float]
    deviation: Sequence[float]


class Fitted(nn.Module):
    """Gray images become RGB, are resized to ``size`` pixels (0 = as they are) and normalised, then meet the network.

    Resizing is bilinear, with a low-pass filter where it shrinks; it is differentiable.
    """

    features: int
    mean: Tensor
    deviation: Tensor

    def __init__(self, body: Body, size: int) -> None:
        super().__init__()
        self.net, self.size = body.net, size
        for name, values in (("mean", body.mean), ("deviation", body.deviation)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) in [0, 1] to (N, features)."""
        x = x.expand(-1, 3, -1, -1)
        if self.size and x.shape[-1] != self.size:
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", antialias=True)
        return self.net((x - self.mean) / self.deviation)


class Certain(nn.Identity):
    """In place of a layer that drops with probability p."""

    p = 0.0


CHANCE = ("AlphaDropout", "Dropout", "Dropout2d", "DropPath", "StochasticDepth")


def _plain(layer: nn.Module) -> nn.Module:
    if type(layer).__name__ in CHANCE:
        return Certain()
    if isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1)):
        return SiteMean()
    return layer


def make_plain(module: nn.Module) -> None:
    """Replace layers that draw random numbers in training by ones that pass features on, and slow ones by fast ones."""
    for name, child in module.named_children():
        make_plain(child)
        setattr(module, name, _plain(child))


def choose_statistics(net: nn.Module, mode: Mode) -> None:
    """Replace batch normalisation by ours in that mode.

    Raises:
        StudyError: a layer of it has a form of its own.
    """
    other = {type(m).__name__ for m in net.modules() if isinstance(m, _BatchNorm) and type(m) is not nn.BatchNorm2d}
    if other:
        names = ", ".join(sorted(other))
        raise StudyError(f"the network has layers {names}, whose statistics cannot be chosen; choose another model")
    replace_layers(net)
    for layer in net.modules():
        if isinstance(layer, Norm):
            layer.mode = mode
