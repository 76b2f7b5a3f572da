"""Clouds by random midpoint displacement on a torus."""

from jaxtyping import Float
from torch import Tensor

WOBBLE = 100.0
"""b at the coarsest step; the noise there is uniform within ±b² = ±10⁴."""


def power_of_two(n: int) -> int:
    """The smallest power of two that is at least ``n``."""
    return 1 << (n - 1).bit_length()


def plasma(side: int, decay: float, noise: Float[Tensor, "N D"]) -> Float[Tensor, "N side side"]:
    """Height maps by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982), periodic in both axes.

    From one point, each step halves the spacing: the middle of a square becomes the mean of its corners plus b² · u,
    the middle of an edge the mean of its two ends and of the two middles beside it plus b² · u, and b shrinks by
    ``decay``. So the noise falls by decay² a step: the clouds of ImageNet-C are smoother than ``decay`` says.

    Args:
        side: a power of two.
        decay: what b is divided by from step to step.
        noise: u in [-1, 1], D = side² − 1 of them: for each step the squares, the horizontal and the vertical edges.
    """
    height, start, amplitude = noise.new_zeros(len(noise), 1, 1), 0, WOBBLE**2
    while (n := height.shape[-1]) < side:
        u = noise[:, start : start + 3 * n * n].mul(amplitude).view(-1, 3, n, n)
        vertical = height + height.roll(-1, 1)
        horizontal = height + height.roll(-1, 2)
        middle = (vertical + vertical.roll(-1, 2)).mul_(0.25).add_(u[:, 0])
        horizontal.add_(middle).add_(middle.roll(1, 1)).mul_(0.25).add_(u[:, 1])
        vertical.add_(middle).add_(middle.roll(1, 2)).mul_(0.25).add_(u[:, 2])
        finer = height.new_empty(len(height), 2 * n, 2 * n)
        finer[:, ::2, ::2], finer[:, 1::2, 1::2] = height, middle
        finer[:, ::2, 1::2], finer[:, 1::2, ::2] = horizontal, vertical
        height, start, amplitude = finer, start + 3 * n * n, amplitude / decay**2
    return height
