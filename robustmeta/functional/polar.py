"""Polar coordinates of the pixels around a centre."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def offsets(
    height: int, width: int, centre: Float[Tensor, "N 2"]
) -> tuple[Float[Tensor, "N H 1"], Float[Tensor, "N 1 W"]]:
    """Rows and columns of the pixels, counted from a centre (y, x) in pixels."""
    y = torch.arange(height, device=centre.device) - centre[:, :1]
    x = torch.arange(width, device=centre.device) - centre[:, 1:]
    return y[:, :, None], x[:, None, :]


def angle(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """atan2(a, b) in [-π, π]; a and b may be broadcast against each other.

    Made of atan, whose last bit, unlike that of ``torch.atan2``, does not depend on an entry's place in memory.
    """
    b = torch.where(b == 0, 1e-30, b)
    half_turn = torch.where(b < 0, math.pi, 0.0).to(b.dtype)
    return torch.atan(a / b).add_(torch.copysign(half_turn, a))
