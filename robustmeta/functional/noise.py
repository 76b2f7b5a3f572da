"""Noise added to images."""

from jaxtyping import Float
from torch import Tensor


def additive(x: Float[Tensor, "N C H W"], std: float, noise: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
    """The sum x + std · noise, cut to [0, 1]; ``noise`` is standard normal, ``std`` in units of the full range."""
    return (x + std * noise).clamp_(0, 1)
