"""Caustics: light on the ground of a wavy water, and what is seen through that surface."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

BASE, WHIRLS, THICKNESS = -250.0, 5, 0.005
INDEX = 4.0
FLAT = 0.999
"""A surface this upright or more does not refract."""


def caustic(height: int, width: int, scale: Float[Tensor, " N"], time: Float[Tensor, " N"]) -> Float[Tensor, "N H W"]:
    """clip(|1.17 − (c/5)^1.4|⁸, 0, 1), c = 1 + Σ_j 1 / ‖(κ₀ / sin(I₀ + t), κ₁ / cos(I₁ + t))‖, j = 1..5.

    P = 2π·frac(p / S) − 250, κ = 0.005·P, t = τ·(1 − 3.5/j), and I = P before it is stirred by each j in turn:
    I ← P + (cos(t − I₀) + sin(t + I₁), sin(t − I₁) + cos(t + I₀)). Index 0 is the row. Sines of sums are made of the
    sines and cosines of I₀ and I₁, taken modulo 2π.
    """
    sheets = [_phase(n, scale) for n in (height, width)]
    p0, p1 = sheets[0][:, :, None], sheets[1][:, None, :]
    k0, k1 = THICKNESS * (p0 + BASE), THICKNESS * (p1 + BASE)
    p0, p1 = p0 + BASE % (2 * math.pi), p1 + BASE % (2 * math.pi)
    s0, c0, s1, c1 = p0.sin(), p0.cos(), p1.sin(), p1.cos()
    total = torch.ones(len(scale), height, width, device=scale.device)
    for j in range(1, WHIRLS + 1):
        t = (time * (1 - 3.5 / j))[:, None, None]
        st, ct = t.sin(), t.cos()
        i0 = p0 + ((ct * c0 + st * s0) + (st * c1 + ct * s1))
        i1 = p1 + ((st * c1 - ct * s1) + (ct * c0 - st * s0))
        s0, c0, s1, c1 = i0.sin(), i0.cos_(), i1.sin(), i1.cos_()
        a, b = s0 * ct + c0 * st, c1 * ct - s1 * st  # sin(I₀ + t), cos(I₁ + t)
        across = ((k0 * b).square_() + (k1 * a).square_()).sqrt_().clamp_(min=1e-20)
        total += (a * b).abs_().div_(across)
    glow = 1.17 - (total / 5).log_().mul_(1.4).exp_()
    return glow.square_().square_().square_().clamp_(max=1)


def _phase(n: int, scale: Float[Tensor, " N"]) -> Float[Tensor, "N n"]:
    """2π·frac(p / S)."""
    part = torch.arange(n, device=scale.device) / scale[:, None]
    return (part - part.floor()) * (2 * math.pi)


def slopes(field: Float[Tensor, "N H W"]) -> tuple[Float[Tensor, "N H W"], Float[Tensor, "N H W"]]:
    """Differences of the next and the last pixel along the rows' axis and the columns'; outside the field is 0."""
    dark = F.pad(field, (1, 1, 1, 1))
    return dark[:, 2:, 1:-1] - dark[:, :-2, 1:-1], dark[:, 1:-1, 2:] - dark[:, 1:-1, :-2]


def refraction(
    dy: Float[Tensor, "N H W"], dx: Float[Tensor, "N H W"], depth: float
) -> tuple[Float[Tensor, "N H W"], Float[Tensor, "N H W"]]:
    """Where light from straight above goes below a surface of normal n = (D_y, D_x, 1) / √(1 + D²), in pixels.

    o = depth · (cos β − cos α / 4) · (n_y, n_x), cos α = n_z, sin β = sin α / 4, rounded to 3 decimals; 0 where
    n_z ≥ 0.999, so that the offset jumps there.
    """
    upright = (dy.square() + dx.square()).add_(1).rsqrt_()
    bent = (1 - (1 - upright.square()).div_(INDEX**2)).sqrt_()
    size = (bent - upright / INDEX).mul_(depth).mul_(upright).masked_fill_(upright >= FLAT, 0)
    return (size * dy).mul_(1000).round_().div_(1000), (size * dx).mul_(1000).round_().div_(1000)
