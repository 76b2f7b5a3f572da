"""Cubic B-splines (Unser 1999, Splines: A Perfect Fit for Signal and Image Processing): weights, and a zoom."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]


def taps(at: Numbers, n: int) -> tuple[Places, Numbers]:
    """Four knots and the cubic B-spline's weights at each real place, (4, ...) both; knots mirror at 0 and n − 1."""
    lower = np.floor(at)
    f = at - lower
    weight = np.stack([(1 - f) ** 3, 4 - 6 * f**2 + 3 * f**3, 1 + 3 * f + 3 * f**2 - 3 * f**3, f**3]) / 6
    knot = np.abs(np.stack([lower + i for i in (-1, 0, 1, 2)]).astype(np.int64)) % (2 * n - 2)
    return np.minimum(knot, 2 * n - 2 - knot), weight


def zoom(x: Float[Tensor, "*batch H W"], factor: float) -> Float[Tensor, "*batch H W"]:
    """The middle of x, enlarged by a factor ≥ 1; pixels serve as coefficients of the spline, so that it also smooths.

    An axis of n pixels becomes M = round(n · factor), output o at o·(n − 1)/(M − 1), of which n are kept from
    ⌊(M − n)/2⌋ on; with a factor of 1 it is filtered by [1, 4, 1]/6.
    """
    return _zoom_rows(_zoom_rows(x, factor).mT, factor).mT


def _zoom_rows(x: Float[Tensor, "*batch H W"], factor: float) -> Float[Tensor, "*batch H W"]:
    n = x.shape[-2]
    size = round(n * factor)
    at = np.arange(n, dtype=np.float64) + (size - n) // 2
    knot, weight = taps(at * ((n - 1) / (size - 1)), n)
    out = torch.zeros_like(x)
    for k, w in zip(knot, weight, strict=True):
        column = torch.from_numpy(w).float().to(x.device)[:, None]
        out += x.index_select(-2, torch.from_numpy(k).to(x.device)) * column
    return out
