"""Enlarging the middle of images, and the mean of several such enlargements."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy import sparse
from torch import Tensor

from robustmeta.functional.parallel import over_rows

KEPT = 2
"""Matrices kept: at 224 x 224 pixels one holds about 15 MB and takes a quarter of a second to make."""
TOGETHER = 48
"""Planes that one product takes: their values at a pixel lie next to each other."""

Sparse = Any


def zoom_mean(x: Float[Tensor, "N C H W"], factors: tuple[float, ...]) -> Float[Tensor, "N C H W"]:
    """(x + Σ zoom(x, f)) / (n + 1) over the n factors, as one sparse matrix on the pixels; see ``placed``."""
    height, width = x.shape[-2:]
    matrix = _mean_matrix(height, width, factors)
    given = x.detach().cpu().reshape(-1, height * width).numpy()
    made = np.empty_like(given)

    def part(rows: slice) -> None:
        for start in range(rows.start, rows.stop, TOGETHER):
            some = slice(start, min(start + TOGETHER, rows.stop))
            made[some] = (matrix @ np.ascontiguousarray(given[some].T)).T

    over_rows(part, len(given))
    return torch.from_numpy(made).view(x.shape).to(x.device)


@lru_cache(KEPT)
def _mean_matrix(height: int, width: int, factors: tuple[float, ...]) -> Sparse:
    total = sparse.eye_array(height * width, format="csr")
    for factor in factors:
        total += sparse.kron(placed(height, factor), placed(width, factor), format="csr")
    mean = sparse.csr_array(total / (len(factors) + 1), dtype=np.float32)
    mean.eliminate_zeros()
    return mean


def placed(n: int, factor: float) -> Sparse:
    """One axis of a zoom by ``factor`` >= 1, as a sparse n x n matrix.

    The middle ⌈n / factor⌉ pixels are enlarged linearly, their outer pixels to the outer ones of the result, to that
    number times the factor, rounded. Of these the first n are kept; below a factor of 1.5 there is at most one more,
    so that keeping the middle, as Hendrycks and Dietterich do, is the same. Where rounding puts the last one beyond
    the last pixel, it is black, as SciPy's ``zoom`` has it in the published programs (n = 36 with a factor of 1.2).
    """
    crop = math.ceil(n / factor)
    large = round(crop * factor)
    at = np.arange(n) * ((crop - 1) / max(large - 1, 1))
    low = np.minimum(at.astype(np.int64), max(crop - 2, 0))
    part = at - low
    weights = np.stack([1 - part, part], 1) * (at <= crop - 1)[:, None]
    columns = np.stack([low, np.minimum(low + 1, crop - 1)], 1) + (n - crop) // 2
    return sparse.csr_array((weights.ravel(), columns.ravel(), np.arange(0, 2 * n + 1, 2)), shape=(n, n))
