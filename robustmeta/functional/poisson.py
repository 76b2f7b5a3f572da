"""Counts of photons."""

from functools import lru_cache
from math import ceil

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import pdtr
from torch import Tensor

from robustmeta.functional.parallel import over_rows

Images = Float[Tensor, "N C H W"]
Doubles = NDArray[np.float64]

GRAYS = 256
"""Intensities k/255 whose counts are looked up; others are searched for one by one."""
CELLS = 2**12
"""Parts of [0, 1) in each of which most draws have the same count."""
BLOCK = 2**17
"""Values worked on at a time: they stay in a core's cache."""
UNSETTLED = -1.0
OTHER = 1e-4
"""So far from a whole number is 255 x only where x is no k/255 rounded to float32."""


def shot(x: Images, scale: float, u: Images) -> Images:
    """The brightness min(n / scale, 1) of n photons, Poisson of mean scale · x.

    By inversion of the uniform draw u: n is the least with P(count ≤ n) ≥ u, evaluated in float64. Counts above scale
    are all white, so they are not told apart.
    """
    out = torch.empty(x.shape)
    given, draws, made = x.cpu().reshape(-1), u.reshape(-1), out.view(-1)
    table, cumulative = _tables(scale)

    def work(blocks: slice) -> None:
        for start in range(blocks.start * BLOCK, blocks.stop * BLOCK, BLOCK):
            part = slice(start, start + BLOCK)
            made[part] = _brightness(given[part], scale, draws[part], table, cumulative)

    over_rows(work, ceil(len(made) / BLOCK))
    return out.to(x.device)


def _brightness(x: Tensor, scale: float, u: Tensor, table: Tensor, cumulative: Doubles) -> Float[Tensor, " n"]:
    level = x.mul(255)
    gray = level.round()
    made = table.index_select(0, u.mul(CELLS).floor_().add_(gray, alpha=CELLS).int())
    other = level.sub_(gray).abs_().numpy() > OTHER
    todo = np.flatnonzero((made.numpy() == UNSETTLED) | other)
    if len(todo):
        which, draw = gray.numpy()[todo].astype(np.int64), u.numpy()[todo].astype(np.float64)
        width = len(cumulative) // GRAYS
        count = np.searchsorted(cumulative, which + draw) - width * which
        if other.any():
            off = other[todo]
            count[off] = quantile(draw[off], scale * x.numpy()[other].astype(np.float64), width - 1)
        made.numpy()[todo] = np.clip(count / scale, 0, 1)
    return made


def quantile(u: Doubles, mean: Doubles, most: int) -> NDArray[np.int64]:
    """The least n with P(count ≤ n) ≥ u for counts of that mean, but at most ``most``; by bisection."""
    low, high = np.zeros(len(u), np.int64), np.full(len(u), most)
    for _ in range(most.bit_length()):
        middle = (low + high) // 2
        enough = pdtr(middle, mean) >= u
        high, low = np.where(enough, middle, high), np.where(enough, low, np.minimum(middle + 1, high))
    return high


@lru_cache(maxsize=5)
def _tables(scale: float) -> tuple[Float[Tensor, " G*cells"], Doubles]:
    """For each gray k: the brightness of every cell of u that has but one, and k + P(count ≤ n) for every n.

    As k < k + P ≤ k + 1, the second is sorted as a whole, and one search in it serves all grays.
    """
    gray, count = np.arange(GRAYS)[:, None], np.arange(ceil(scale) + 1)
    cumulative = pdtr(count, scale * gray / 255)
    cumulative[:, -1] = 1  # white from here on
    above = np.floor(cumulative * CELLS).astype(np.int64) + 1  # P(count ≤ n) < cell / CELLS from this cell on
    passed = np.bincount((above + gray * (CELLS + 2)).ravel(), minlength=GRAYS * (CELLS + 2))
    least = passed.reshape(GRAYS, -1)[:, : CELLS + 1].cumsum(1)  # the n of the lower end of each cell
    settled = np.where(least[:, 1:] == least[:, :-1], np.minimum(least[:, :-1] / scale, 1), UNSETTLED)
    return torch.from_numpy(settled.ravel()).float(), (gray + cumulative).ravel()
