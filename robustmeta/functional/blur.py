"""Kernels of blurs, and the filter that applies them."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

SMALL_GRID = 8
"""Disks of at most this radius are drawn on a grid of 17 x 17, larger ones on one that ends at their rim."""


def reflected(n: int, pad: int) -> Int[Tensor, " n+2*pad"]:
    """Indices that extend 0..n-1 by ``pad`` on both sides, mirrored at the outer pixels as often as needed."""
    period = max(2 * (n - 1), 1)
    i = torch.arange(-pad, n + pad).abs() % period
    return torch.minimum(i, period - i) if n > 1 else torch.zeros_like(i)


def correlate(x: Float[Tensor, "*batch H W"], kernel: Float[Tensor, "K K"]) -> Float[Tensor, "*batch H W"]:
    """Every image filtered by one kernel of odd size, mirrored at its outer pixels; it may be smaller than the kernel.

    y = Σ k(i, j) · x(· + i, · + j), one shifted image after the other: for kernels with few entries this is faster than
    a convolution, whose last bits also depend on how many images share the call.
    """
    height, width = x.shape[-2:]
    pad = kernel.shape[-1] // 2
    padded = x[..., reflected(height, pad), :][..., reflected(width, pad)]
    out = torch.zeros_like(x)
    for i, j in kernel.nonzero().tolist():
        out.add_(padded[..., i : i + height, j : j + width], alpha=float(kernel[i, j]))
    return out


def gaussian(size: int, sigma: float) -> Float[Tensor, "K K"]:
    """exp(−(i² + j²) / 2σ²) on a size x size grid around 0, of sum 1, in float64."""
    at = torch.arange(size, dtype=torch.float64) - size // 2
    line = torch.exp(-at.square() / (2 * sigma**2))
    line /= line.sum()
    return line[:, None] * line


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
