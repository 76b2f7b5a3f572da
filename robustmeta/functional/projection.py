"""Balls around images: the steepest way up, the nearest point within, uniform draws. Norms are over (C, H, W)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from robustmeta.rng import Rng

Pixels = Float[Tensor, "*batch C H W"]
PerImage = Float[Tensor, "*batch 1 1 1"]

SPARSE = 0.05
"""Share of the entries that a step of L1 length 1 is spread over."""


def norm2(d: Pixels) -> PerImage:
    """‖d‖₂ of each image."""
    return d.flatten(-3).norm(dim=-1)[..., None, None, None]


def norm_inf(d: Pixels) -> PerImage:
    """‖d‖∞ of each image."""
    return d.abs().amax((-3, -2, -1), keepdim=True)


def norm1(d: Pixels) -> PerImage:
    """‖d‖₁ of each image."""
    return d.abs().sum((-3, -2, -1), keepdim=True)


def unit2(g: Pixels) -> Pixels:
    """The steepest step of length 1, g / ‖g‖₂; zero where g is. Scaled first: tiny gradients keep their direction."""
    largest = norm_inf(g)
    scaled = g / largest.where(largest > 0, 1)
    length = norm2(scaled)
    return scaled / length.where(length > 0, 1)


def sign(g: Pixels) -> Pixels:
    """The steepest step of largest entry 1; zero where g is."""
    return g.sign()


def sparse_sign(g: Pixels) -> Pixels:
    """A step of L1 length 1 along the signs of the largest entries of g, alike in each; zero where g is.

    The steepest step moves one entry alone, which soon meets the end of [0, 1]; this one moves a share of them (Tramèr
    and Boneh 2019, Adversarial Training and Robustness for Multiple Perturbations, section 4.1, SLIDE).
    """
    size = g.flatten(-3)
    least = size.abs().topk(max(1, round(SPARSE * size.shape[-1])), dim=-1).values[..., -1:]
    step = size.sign() * (size.abs() >= least)
    length = step.abs().sum(-1, keepdim=True)
    return (step / length.where(length > 0, 1)).view_as(g)


def project2(d: Pixels, eps: float) -> Pixels:
    """The nearest point of the L2 ball, d · min(1, ε / ‖d‖₂)."""
    length = norm2(d)
    return d * (eps / length.where(length > 0, 1)).clamp(max=1)


def project_inf(d: Pixels, eps: float) -> Pixels:
    """The nearest point of the L∞ ball: every entry cut to [−ε, ε]."""
    return d.clamp(-eps, eps)


def project1(d: Pixels, eps: float) -> Pixels:
    """The nearest point of the L1 ball: sign(d) · max(|d| − τ, 0), with the τ ≥ 0 that makes the norm ε.

    Duchi et al. 2008, Efficient Projections onto the ℓ1-Ball, figure 1: τ is the largest (Σ_{i≤k} uᵢ − ε) / k over
    the entries u in falling order.
    """
    size = d.flatten(-3).abs()
    below = size - size.amax(-1, keepdim=True)  # what is left of large numbers is small, and keeps its digits
    falling = below.sort(dim=-1, descending=True).values
    count = torch.arange(1, falling.shape[-1] + 1, device=d.device)
    threshold = ((falling.cumsum(-1) - eps) / count).amax(-1, keepdim=True)
    cut = (below - threshold).clamp(min=0).view_as(d)
    return d.where(norm1(d) <= eps, d.sign() * cut)


def draw2(shape: tuple[int, ...], eps: float, rng: Rng) -> Pixels:
    """Uniform in the L2 ball: ε · U^(1/n) times a uniform direction, one for each key."""
    radius = eps * rng.uniform(1, 1, 1) ** (1 / math.prod(shape))
    return radius * unit2(rng.normal(*shape))


def draw_inf(shape: tuple[int, ...], eps: float, rng: Rng) -> Pixels:
    """Every entry uniform in [−ε, ε], for each key."""
    return eps * (2 * rng.uniform(*shape) - 1)


def draw1(shape: tuple[int, ...], eps: float, rng: Rng) -> Pixels:
    """Uniform in the L1 ball: n of n + 1 exponential numbers over the sum of all, with random signs, times ε.

    Barthe et al. 2005, A probabilistic approach to the geometry of the ℓₚⁿ-ball, theorem 1 for p = 1.
    """
    n = math.prod(shape)
    exponential = -(1 - rng.uniform(n + 1)).log()
    side = 1 - 2 * rng.integers(0, 2, n)
    return (eps * side * exponential[..., 1:] / exponential.sum(-1, keepdim=True)).unflatten(-1, shape)


@dataclass(frozen=True)
class Ball:
    """A norm as attacks use it: ``steepest(gradient)``, ``project(delta, eps)``, ``draw(shape, eps, rng)``."""

    steepest: Callable[[Pixels], Pixels]
    project: Callable[[Pixels, float], Pixels]
    draw: Callable[[tuple[int, ...], float, Rng], Pixels]
    norm: Callable[[Pixels], PerImage]

    def within(self, x: Pixels, candidate: Pixels, eps: float) -> Pixels:
        """The candidate brought into the ball around x, then into [0, 1], which does not leave the ball."""
        return self.project(candidate - x, eps).add_(x).clamp_(0, 1)

    def edge(self, shape: tuple[int, ...], eps: float, rng: Rng) -> Pixels:
        """A draw in the ball, stretched to its surface."""
        drawn = self.draw(shape, 1.0, rng)
        return eps * drawn / self.norm(drawn)


BALLS = {
    "linf": Ball(sign, project_inf, draw_inf, norm_inf),
    "l2": Ball(unit2, project2, draw2, norm2),
    "l1": Ball(sparse_sign, project1, draw1, norm1),
}
