"""Blur by a straight, uniform motion that fades out."""

import math
from collections.abc import Iterable

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.functional.parallel import over_rows

PIECE, BOX = 14, 11
"""Taps that surely lie in a box of so many pixels: small enough for OpenCV to sum over taps and not to transform."""


def motion_blur(
    x: Float[Tensor, "N C H W"], degrees: Float[Tensor, " N"], radius: int, sigma: float
) -> Float[Tensor, "N C H W"]:
    """y(p) = Σ kᵢ · x(p + ⌈i · (sin θ, cos θ) − ½⌉) over i = 0..2·radius, indices (row, column), kᵢ ∝ exp(−i² / 2σ²).

    This is ImageMagick's motion blur as ``imagecorruptions`` 1.1.2 has it: one-sided, so that the image moves too; by
    whole pixels; beyond the border its pixels go on. Where a shift reaches the height or the width of the image, that
    tap and those after it are left out, and the image is darker by their weight, as in that program.
    """
    height, width = x.shape[-2:]
    shifts = steps(degrees, 2 * radius + 1)
    weights = np.exp(-np.square(np.arange(2 * radius + 1)) / (2 * sigma**2))
    beyond = (np.abs(shifts) >= (height, width)).any(-1)
    used = np.where(np.logical_or.accumulate(beyond, 1), 0, weights / weights.sum())
    shifts = shifts.clip((1 - height, 1 - width), (height - 1, width - 1))
    starts = np.arange(0, shifts.shape[1], PIECE)
    corners = np.minimum.reduceat(shifts, starts, 1)
    sizes = np.maximum.reduceat(shifts, starts, 1) - corners + 1
    kernels = np.zeros((*corners.shape[:2], PIECE, PIECE), np.float32)
    piece = np.arange(shifts.shape[1]) // PIECE
    row, column = np.moveaxis(shifts - corners[:, piece], -1, 0)
    np.add.at(kernels, (np.arange(len(x))[:, None], piece, row, column), used)

    given = x.detach().cpu().contiguous().numpy()
    made = np.zeros_like(given)
    edges = np.concatenate([-shifts.min(1), shifts.max(1)], 1)  # above, left, below, right

    def part(rows: slice) -> None:
        for i in range(rows.start, rows.stop):
            pieces = zip(corners[i].tolist(), sizes[i].tolist(), kernels[i], strict=True)
            _blur(given[i], edges[i].tolist(), pieces, made[i])

    over_rows(part, len(given))
    return torch.from_numpy(made).to(x.device)


def steps(degrees: Float[Tensor, " N"], count: int) -> NDArray[np.int64]:
    """⌈i · (sin θ, cos θ) − ½⌉ for i = 0..count-1: (N, count, 2), rows and columns."""
    radians = degrees.double().cpu().numpy() * (math.pi / 180)
    direction = np.stack([np.sin(radians), np.cos(radians)], -1)[:, None]
    return np.ceil(np.arange(count)[:, None] * direction - 0.5).astype(np.int64)


def _blur(
    image: NDArray[np.float32],
    edges: list[int],
    pieces: Iterable[tuple[list[int], list[int], NDArray[np.float32]]],
    out: NDArray[np.float32],
) -> None:
    """Add to ``out`` an image (C, H, W) filtered by kernels: (shift of the upper left entry, size, kernel in a corner).

    The channels, widened by ``edges``, stand above one another, so that one call filters them all.
    """
    height, width = image.shape[1:]
    above, left, below, right = edges
    wide = np.concatenate([cv2.copyMakeBorder(c, above, below, left, right, cv2.BORDER_REPLICATE) for c in image])
    for (down, along), (rows, columns), kernel in pieces:
        part = wide[down + above :, along + left : along + left + width + columns - 1]
        sums = cv2.filter2D(part, -1, kernel[:rows, :columns], anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
        for channel, target in enumerate(out):
            top = channel * (above + height + below)
            target += sums[top : top + height, :width]
