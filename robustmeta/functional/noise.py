"""Noise on images, from draws that are given."""

import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "N C H W"]


def additive(x: Images, std: float, noise: Images) -> Images:
    """The sum x + std · noise, cut to [0, 1]; ``noise`` is standard normal, ``std`` in units of the full range."""
    return (std * noise).add_(x).clamp_(0, 1)


def multiplicative(x: Images, std: float, noise: Images) -> Images:
    """The sum x + x · std · noise, cut to [0, 1]; ``noise`` is standard normal."""
    return (std * noise).mul_(x).add_(x).clamp_(0, 1)


def salt_and_pepper(x: Images, amount: float, hit: Images, kind: Images) -> Images:
    """White where hit < amount and kind ≤ ½, black where hit < amount and kind > ½, x elsewhere; both are uniform."""
    # comparisons that write 1 and 0 as floats: masked assignments take several times as long
    missed = torch.ge(hit, amount, out=torch.empty_like(hit))
    white = torch.le(kind, 0.5, out=torch.empty_like(kind)).sub_(missed)  # 1 where hit by salt, else 0 or -1
    return torch.minimum(missed, x, out=missed).maximum(white)
