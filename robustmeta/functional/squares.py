"""The random squares of the Square attack (Andriushchenko et al. 2020, arXiv:1912.00049)."""

from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

Pixels = Float[Tensor, "N C H W"]
Rows = Int[Tensor, "N s"]

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Queries of 10,000 after which the share of pixels that a square has is halved (section 4)."""


def share(first: float, query: int, queries: int) -> float:
    """The share of an image's pixels in the square of a query, the published schedule stretched to ``queries``."""
    at = query * 10_000 / queries
    return first / 2 ** sum(at > mark for mark in HALVINGS)


def window(top: Int[Tensor, " N"], left: Int[Tensor, " N"], side: int) -> tuple[Rows, Rows]:
    """The rows and columns (N, side) of a square of each image."""
    along = torch.arange(side)
    return top[:, None] + along, left[:, None] + along


def inside(rows: Rows, columns: Rows, height: int, width: int) -> Bool[Tensor, "N 1 H W"]:
    """Which pixels lie in those rows and columns."""

    def axis(places: Rows, size: int) -> Tensor:
        return torch.zeros(len(places), size, dtype=torch.bool).scatter_(1, places, True)

    return (axis(rows, height)[:, :, None] & axis(columns, width)[:, None, :])[:, None]


def bump(height: int, width: int) -> Float[Tensor, "height width"]:
    """η of eq. 2: Σ_{k=0}^{M(r,s)} 1/(n + 1 − k)², a pyramid of rings whose middle is highest, n = ⌊height / 2⌋.

    M(r, s) = n − max(|r − ⌊height/2⌋ − 1|, |s − ⌊width/2⌋ − 1|), rows and columns from 1; 0 where M < 0.
    """
    n = height // 2
    r = (torch.arange(1, height + 1) - height // 2 - 1).abs()
    s = (torch.arange(1, width + 1) - width // 2 - 1).abs()
    rings = n - r[:, None].maximum(s)
    terms = 1 / (n + 1 - torch.arange(n + 1.0)) ** 2
    return torch.cat([torch.zeros(1), terms.cumsum(0)])[rings.clamp(min=-1) + 1]


@cache
def two_bumps(side: int) -> Float[Tensor, "side side"]:
    """Two of them side by side with opposite signs, of length 1 (section 3.4)."""
    half = side // 2
    both = torch.cat([bump(side, half), -bump(side, side - half)], 1)
    return both / both.norm().clamp(min=1e-12)


def tiles(height: int, width: int, side: int, signs: Float[Tensor, "N C rows columns"]) -> Pixels:
    """The L2 attack's start: a grid of pairs of bumps amid the image, each with its sign, not yet scaled."""
    rows, columns = signs.shape[-2:]
    whole = signs.repeat_interleave(side, -2).repeat_interleave(side, -1) * two_bumps(side).repeat(rows, columns)
    below, right = height - side * rows, width - side * columns
    return F.pad(whole, (right // 2, right - right // 2, below // 2, below - below // 2))


def move_mass(
    delta: Pixels, first: tuple[Rows, Rows], second: tuple[Rows, Rows], shape: Float[Tensor, "N C s s"], eps: float
) -> Pixels:
    """Algorithm 3: empty the second window, and spend its energy and what is unused of ε in the first.

    There ν = ρ η + δ / ‖δ‖ of each channel, scaled to √(‖δ in either window‖² + (ε² − ‖δ‖²) / c); ``shape`` is ρ η.
    """
    height, width = delta.shape[-2:]
    here, there = inside(*first, height, width), inside(*second, height, width)
    unused = (eps**2 - delta.square().sum((1, 2, 3), keepdim=True)).clamp(min=0) / delta.shape[1]
    energy = ((delta * (here | there)).square().sum((2, 3), keepdim=True) + unused).sqrt()
    rows, columns = first
    place = (torch.arange(len(delta))[:, None, None], slice(None), rows[:, :, None], columns[:, None, :])
    old = delta[place].movedim(-1, 1)  # (N, C, s, s)
    new = shape + old / old.norm(dim=(2, 3), keepdim=True).clamp(min=1e-12)
    new = new * energy / new.norm(dim=(2, 3), keepdim=True).clamp(min=1e-12)
    out = delta.where(~there, 0)
    out[place] = new.movedim(1, -1)
    return out
