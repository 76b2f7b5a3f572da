"""Kernels of blurs, and the filters that apply them to every plane of a batch by OpenCV."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.functional.parallel import over_rows

SMALL_GRID = 8
"""Disks of at most this radius are drawn on a grid of 17 x 17, larger ones on one that ends at their rim."""

NEGLIGIBLE = 1e-12
"""Kernel entries below this part of the largest are left out: products with subnormal numbers take a hundred cycles."""

Plane = NDArray[Any]


def each_plane(x: Float[Tensor, "*batch H W"], work: Callable[[Plane, Plane], object]) -> Float[Tensor, "*batch H W"]:
    """``work(given, made)`` fills ``made`` from ``given``, both (H, W) arrays, for every plane on its own."""
    given = x.detach().cpu().reshape(math.prod(x.shape[:-2]), *x.shape[-2:]).contiguous().numpy()
    made = np.empty_like(given)

    def part(rows: slice) -> None:
        for source, target in zip(given[rows], made[rows], strict=True):
            work(source, target)

    over_rows(part, len(given))
    return torch.from_numpy(made).view(x.shape).to(x.device)


def correlate(x: Float[Tensor, "*batch H W"], kernel: Float[Tensor, "K K"]) -> Float[Tensor, "*batch H W"]:
    """Every plane filtered by one kernel of odd size: y = Σ k(i, j) · x(· + i, · + j), mirrored at its outer pixels.

    A plane may be smaller than the kernel; it is then mirrored again and again.
    """
    weights = trimmed(kernel).cpu().numpy()
    border = cv2.BORDER_REFLECT_101
    return each_plane(x, lambda given, made: cv2.filter2D(given, -1, weights, dst=made, borderType=border))


def trimmed(kernel: Float[Tensor, "K K"]) -> Float[Tensor, "k k"]:
    """A kernel without its negligible entries, cut to the smallest square around its centre that holds the others."""
    size = kernel.abs()
    kept = kernel.where(size >= NEGLIGIBLE * size.max(), 0)
    centre = len(kernel) // 2
    reach = int((kept.nonzero() - centre).abs().max())
    inner = slice(centre - reach, centre + reach + 1)
    return kept[inner, inner]


def smooth(
    x: Float[Tensor, "*batch H W"],
    sigma: float | tuple[float, float],
    truncate: float = 4.0,
    border: int = cv2.BORDER_REPLICATE,
) -> Float[Tensor, "*batch H W"]:
    """Every plane filtered by a Gaussian of σ ``sigma`` pixels, or (σ between rows, σ between columns).

    It is cut off at ``truncate`` σ, rounded to whole pixels. By default the outer pixels go on beyond the border.
    """
    rows, columns = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    down, along = (line(2 * int(truncate * s + 0.5) + 1, s).numpy() for s in (rows, columns))
    return each_plane(x, lambda given, made: cv2.sepFilter2D(given, -1, along, down, dst=made, borderType=border))


def line(size: int, sigma: float) -> Float[Tensor, " K"]:
    """exp(−i² / 2σ²) on ``size`` pixels around 0, of sum 1, in float64; one pixel is 1 for every σ."""
    at = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-at.square() / (2 * sigma**2)) if size > 1 else torch.ones_like(at)
    return weights / weights.sum()


def gaussian(size: int, sigma: float) -> Float[Tensor, "K K"]:
    """exp(−(i² + j²) / 2σ²) on a size x size grid around 0, of sum 1, in float64."""
    return line(size, sigma)[:, None] * line(size, sigma)


@lru_cache(maxsize=16)
def aliased_disk(radius: float, sigma: float) -> Float[Tensor, "K K"]:
    """A disk of sum 1 softened by a small Gaussian, in float64 (Hendrycks and Dietterich 2019, the defocus kernel).

    The Gaussian spans 3 x 3, above a radius of 8 pixels 5 x 5, and it mirrors the disk at the rim of the grid. A disk
    that touches the rim therefore gains mass: at 10 pixels the kernel sums to 1.0108, as published.
    """
    small = radius <= SMALL_GRID
    reach = SMALL_GRID if small else int(radius)
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    disk = (at[:, None].square() + at.square() <= radius**2).double()
    return correlate(disk / disk.sum(), gaussian(3 if small else 5, sigma))
