"""Bilinear sampling of images on a black ground."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def displaced(
    x: Float[Tensor, "N C H W"], down: Float[Tensor, "N H W"], right: Float[Tensor, "N H W"]
) -> Float[Tensor, "N C H W"]:
    """Takes x from so many rows further down and columns further right, between four pixels; those outside are 0.

    Exact at whole pixels, where ``grid_sample`` is off by the rounding of its coordinates.
    """
    height, width = x.shape[-2:]
    dark = F.pad(x, (1, 2, 1, 2)).flatten(2)
    row = (torch.arange(height, device=x.device)[:, None] + down).clamp_(-1, height)
    column = (torch.arange(width, device=x.device) + right).clamp_(-1, width)
    top, left = row.floor(), column.floor()
    low, far = row.sub_(top)[:, None], column.sub_(left)[:, None]
    at = ((top + 1) * (width + 3) + left + 1).long().flatten(1)[:, None].expand(-1, x.shape[1], -1)
    a, b, c, d = (dark.gather(2, at + step).view_as(x) for step in (0, 1, width + 3, width + 4))
    upper = a + far * (b - a)
    return upper + low * (c + far * (d - c) - upper)


def stretched(
    x: Float[Tensor, "N C H W"], row: Float[Tensor, "N H"], column: Float[Tensor, "N W"]
) -> Float[Tensor, "N C H W"]:
    """Takes x at real rows, the same for all columns, and real columns, the same for all rows; outside it is 0."""
    return _sample_rows(_sample_rows(x, row).mT, column).mT


def _sample_rows(x: Float[Tensor, "N C H W"], row: Float[Tensor, "N H"]) -> Float[Tensor, "N C H W"]:
    dark = F.pad(x, (0, 0, 1, 2))
    row = row.clamp(-1, x.shape[2])
    top = row.floor()
    at = (top + 1).long()[:, None, :, None].expand_as(x)
    upper = dark.gather(2, at)
    return upper + (row - top)[:, None, :, None] * (dark.gather(2, at + 1) - upper)
