"""The mean of an image over small turns around its middle."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.ndimage import spline_filter1d
from scipy.sparse import csr_array, vstack
from torch import Tensor

from robustmeta.functional.parallel import over_rows
from robustmeta.functional.spline import taps

TURNS = np.linspace(-1, 1, 21)
WEIGHTS = np.exp(-2 * TURNS**2) / np.exp(-2 * TURNS**2).sum()
FLIPS = ((1, 1), (1, -1), (-1, 1), (-1, -1))
PLANES = 16
"""Planes that the matrix is applied to at a time; more fall out of the cache."""

Plane = NDArray[np.float32]


def spin(x: Float[Tensor, "N C H W"], degrees: float) -> Float[Tensor, "N C H W"]:
    """Σ_u w_u · (x turned by u·degrees around ((H − 1)/2, (W − 1)/2)), u = −1, −0.9, …, 1, w ∝ e^(−2u²); on the CPU.

    Each turn interpolates by a cubic B-spline through the pixels, mirrored at the outer ones, and is 0 where it looks
    beyond those. The sum is one sparse matrix; it commutes with flips, so a quarter of its rows is enough.
    """
    height, width = x.shape[-2:]
    matrix = quarter_matrix(height, width, degrees)
    planes = x.cpu().reshape(-1, height, width).numpy()
    out = np.empty_like(planes)

    def work(rows: slice) -> None:
        for start in range(rows.start, rows.stop, PLANES):
            part = slice(start, min(start + PLANES, rows.stop))
            _turn_planes(matrix, planes[part], out[part])

    over_rows(work, len(planes))
    return torch.from_numpy(out).view(x.shape)


def _turn_planes(matrix: csr_array, planes: Plane, out: Plane) -> None:
    """One quarter of each plane after the other: the first, of the plane flipped so that it comes first."""
    height, width = planes.shape[1:]
    quarter = ((height + 1) // 2, (width + 1) // 2)
    knots = spline_filter1d(spline_filter1d(planes, axis=-1), axis=-2)
    columns = np.stack([knots[:, ::a, ::b] for a, b in FLIPS]).reshape(-1, height * width).T
    made = (matrix @ np.ascontiguousarray(columns, np.float32)).T.reshape(len(FLIPS), len(planes), *quarter)
    for (a, b), part in zip(FLIPS, made, strict=True):
        out[:, ::a, ::b][:, : quarter[0], : quarter[1]] = part


@lru_cache(maxsize=2)
def quarter_matrix(height: int, width: int, degrees: float) -> csr_array:
    """Weight of every spline coefficient in each pixel of the upper left quarter: (⌈H/2⌉·⌈W/2⌉, H·W), float32."""
    rows = [_row_weights(row, height, width, degrees) for row in range((height + 1) // 2)]
    return csr_array(vstack(rows, format="csr"))


def _row_weights(row: int, height: int, width: int, degrees: float) -> csr_array:
    """The same for the left half of one row."""
    cos, sin = (f(np.deg2rad(degrees * TURNS))[:, None] for f in (np.cos, np.sin))
    middle = (height - 1) / 2, (width - 1) / 2
    y, x = row - middle[0], np.arange((width + 1) // 2) - middle[1]
    at_y, at_x = cos * y + sin * x + middle[0], cos * x - sin * y + middle[1]  # (turns, columns)
    inside = (at_y >= 0) & (at_y <= height - 1) & (at_x >= 0) & (at_x <= width - 1)
    (knot_y, weight_y), (knot_x, weight_x) = taps(at_y, height), taps(at_x, width)
    weight = (weight_y[:, None] * weight_x) * (WEIGHTS[:, None] * inside)  # (4, 4, turns, columns)
    knot = knot_y[:, None] * width + knot_x
    of = np.broadcast_to(np.arange(len(x)), knot.shape)
    kept = weight > 0
    return csr_array((weight[kept].astype(np.float32), (of[kept], knot[kept])), shape=(len(x), height * width))
