"""Gradient noise on a lattice, and its absolute octaves summed."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

PERIOD = 256
OCTAVES = (1, 2, 4, 8, 16)
GAIN = 1.5


def absolute_octaves(
    height: int, width: int, cell: float, permutation: Int[Tensor, "N 256"], gradient: Float[Tensor, "N 256 2"]
) -> Float[Tensor, "N H W"]:
    """T = Σ_f |P(f·p / cell)| / f for f = 1, 2, 4, 8, 16; P is 1.5 x Perlin's noise, ``cell`` in pixels.

    Inside a cell with corners (i + a, j + b), a, b ∈ {0, 1}, the noise is Σ w_a(t_y)·w_b(t_x)·(g_y·(t_y − a) +
    g_x·(t_x − b)), w₁ = 3t² − 2t³ and w₀ = 1 − w₁, where g is the gradient of the entry perm[perm[i] + j] modulo 256.
    The sum over b is taken first, for each row of corners once.
    """
    by_sum = [gradient[..., axis].gather(1, permutation) for axis in (0, 1)]  # g of perm[perm[i] + j] by perm[i] + j
    total = torch.zeros(len(permutation), height, width, device=permutation.device)
    for f in OCTAVES:
        above, mean_y, slope_y = (part.to(total.device) for part in _cells(height, f / cell))
        left, mean_x, slope_x = (part.to(total.device) for part in _cells(width, f / cell))
        rows, above = above.unique(return_inverse=True)
        first = permutation[:, rows % PERIOD, None]
        gy, gx = torch.zeros(2, len(first), len(rows), width, device=total.device)
        for b in (0, 1):
            entry = (first + left[b]).bitwise_and_(PERIOD - 1).flatten(1)
            gy += by_sum[0].gather(1, entry).view_as(gy).mul_(mean_x[b])
            gx += by_sum[1].gather(1, entry).view_as(gx).mul_(slope_x[b])
        noise = torch.zeros_like(total)
        for a in (0, 1):
            noise += gy.index_select(1, above[a]).mul_(slope_y[a, :, None])
            noise += gx.index_select(1, above[a]).mul_(mean_y[a, :, None])
        total += noise.abs_().mul_(GAIN / f)
    return total


def _cells(n: int, frequency: float) -> tuple[Int[Tensor, "2 n"], Float[Tensor, "2 n"], Float[Tensor, "2 n"]]:
    """Along one axis, for the corners a = 0 and 1 of the cells of n pixels: i + a, w_a and w_a·(t − a)."""
    u = torch.arange(n, dtype=torch.float64) * frequency
    lower = u.floor()
    t = u - lower
    upper = t * t * (3 - 2 * t)
    mean = torch.stack([1 - upper, upper])
    return torch.stack([lower, lower + 1]).long(), mean.float(), (mean * torch.stack([t, t - 1])).float()
