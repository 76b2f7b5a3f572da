"""A few made images to try corruptions on: strokes of ink, and coloured scenes with edges and texture."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from robustmeta.functional.warp import cosine_field
from robustmeta.rng import Rng

STROKES = 4
WAVES = 5


def ink(n: int, size: int = 28) -> UInt8[Tensor, "n 1 S S"]:
    """Drawings of a few straight strokes, ink = 255 on 0."""
    rng = Rng(0, ("samples", "ink"), range(n))
    ends = rng.uniform(STROKES, 2, 2) * 0.7 + 0.15  # (n, strokes, start or end, y or x) in parts of the side
    at = (torch.arange(size) + 0.5) / size
    pixel = torch.stack(torch.meshgrid(at, at, indexing="ij"), -1)  # (S, S, 2)
    start, along = ends[:, :, None, None, 0], (ends[:, :, 1] - ends[:, :, 0])[:, :, None, None]
    length2 = along.square().sum(-1, keepdim=True).clamp(min=1e-6)
    part = (((pixel - start) * along).sum(-1, keepdim=True) / length2).clamp(0, 1)
    distance = (pixel - start - part * along).norm(dim=-1).amin(1)  # to the nearest stroke
    return ((1.7 - distance * 28).clamp(0, 1) * 255).byte()[:, None]


def scenes(n: int, size: int = 32) -> UInt8[Tensor, "n 3 S S"]:
    """Smooth colours behind a striped square."""
    rng = Rng(0, ("samples", "scenes"), range(n))
    smooth = cosine_field(rng.normal(3, WAVES, WAVES), size).mul(0.7).sigmoid()
    at = torch.arange(size)
    edge = rng.integers(0, size // 2, 2)[..., None]
    inside = (at >= edge) & (at < edge + size // 2)  # (n, 2, S)
    square = (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]
    stripes = rng.uniform(3, 1, 1) * (0.6 + 0.4 * (at % 4 < 2).float())
    return (torch.where(square, stripes, smooth) * 255).byte()
