"""Brightness of colours, and operations in colour on gray images."""

from jaxtyping import Float
from torch import Tensor

WEIGHTS = (0.299, 0.587, 0.114)
"""What red, green and blue add to the luma Y' (ITU-R BT.601)."""


def luma(x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N 1 H W"]:
    """Y' = 0.299 R + 0.587 G + 0.114 B of three channels; one channel is its own luma."""
    if x.shape[1] == 1:
        return x
    red, green, blue = WEIGHTS
    return x[:, :1].mul(red).add_(x[:, 1:2], alpha=green).add_(x[:, 2:], alpha=blue)


def like(x: Float[Tensor, "N C H W"], coloured: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N C H W"]:
    """A coloured result in the channels of the images that it was made of: its luma where these are gray."""
    return luma(coloured) if x.shape[1] == 1 else coloured
