"""Balls around images: the steepest way up, the nearest point within, a uniform draw. Norms are over (C, H, W)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from robustmeta.rng import Rng

Pixels = Float[Tensor, "*batch C H W"]


def norm2(d: Pixels) -> Float[Tensor, "*batch 1 1 1"]:
    """‖d‖₂ of each image."""
    return d.flatten(-3).norm(dim=-1)[..., None, None, None]


def unit2(g: Pixels) -> Pixels:
    """The steepest step of length 1, g / ‖g‖₂; zero where g is. Scaled first: tiny gradients keep their direction."""
    largest = g.abs().amax((-3, -2, -1), keepdim=True)
    scaled = g / largest.where(largest > 0, 1)
    length = norm2(scaled)
    return scaled / length.where(length > 0, 1)


def sign(g: Pixels) -> Pixels:
    """The steepest step of largest entry 1; zero where g is."""
    return g.sign()


def project2(d: Pixels, eps: float) -> Pixels:
    """The nearest point of the L2 ball, d · min(1, ε / ‖d‖₂)."""
    length = norm2(d)
    return d * (eps / length.where(length > 0, 1)).clamp(max=1)


def project_inf(d: Pixels, eps: float) -> Pixels:
    """The nearest point of the L∞ ball: every entry cut to [−ε, ε]."""
    return d.clamp(-eps, eps)


def draw2(shape: tuple[int, ...], eps: float, rng: Rng) -> Pixels:
    """Uniform in the L2 ball: ε · U^(1/n) times a uniform direction, one for each key."""
    radius = eps * rng.uniform(1, 1, 1) ** (1 / math.prod(shape))
    return radius * unit2(rng.normal(*shape))


def draw_inf(shape: tuple[int, ...], eps: float, rng: Rng) -> Pixels:
    """Every entry uniform in [−ε, ε], for each key."""
    return eps * (2 * rng.uniform(*shape) - 1)


@dataclass(frozen=True)
class Ball:
    """A norm as attacks use it: ``steepest(gradient)``, ``project(delta, eps)``, ``draw(shape, eps, rng)``."""

    steepest: Callable[[Pixels], Pixels]
    project: Callable[[Pixels, float], Pixels]
    draw: Callable[[tuple[int, ...], float, Rng], Pixels]

    def within(self, x: Pixels, candidate: Pixels, eps: float) -> Pixels:
        """The candidate brought into the ball around x, then into [0, 1], which does not leave the ball."""
        return (x + self.project(candidate - x, eps)).clamp_(0, 1)


BALLS = {"linf": Ball(sign, project_inf, draw_inf), "l2": Ball(unit2, project2, draw2)}
