"""Fields made of sines: a plane wave, wavy rings, and a turbulent flow of colours."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustmeta.functional.polar import angle, offsets

STRETCH, SLOWDOWN, STEPS = 1.93, 1.15, 6
"""Growth of the frequency and of the period in time from one step of the turbulence to the next; the most steps."""


def plane_wave(
    height: int, width: int, frequency: Float[Tensor, "N 2"], phase: Float[Tensor, " N"]
) -> Float[Tensor, "N H W"]:
    """sin(y·f_y + x·f_x + φ) at the pixels, by the sine of a sum: one sine a row and one a column."""
    y = torch.arange(height, device=phase.device) * frequency[:, :1] + phase[:, None]
    x = torch.arange(width, device=phase.device) * frequency[:, 1:]
    return y.sin()[:, :, None] * x.cos()[:, None, :] + y.cos()[:, :, None] * x.sin()[:, None, :]


def rings(
    height: int,
    width: int,
    centre: Float[Tensor, "N 2"],
    waves: Float[Tensor, " N"],
    amplitude: Float[Tensor, " N"],
    spacing: Float[Tensor, " N"],
) -> Float[Tensor, "N H W"]:
    """frac((r + A·sin(kθ)) / w) − ½: a sawtooth along the radius of wavy rings, in [-½, ½).

    θ = atan2(x − c_x, y − c_y), with a seam where it jumps unless k is whole; A and w > 0 in pixels.
    """
    y, x = offsets(height, width, centre)
    radius = (y.square() + x.square()).sqrt_()
    wobble = angle(x, y).mul_(waves[:, None, None]).sin_().mul_(amplitude[:, None, None])
    periods = radius.add_(wobble).div_(spacing[:, None, None])
    return periods.sub_(periods.floor()).sub_(0.5)


def turbulence(
    height: int,
    width: int,
    scale: Float[Tensor, " N"],
    time: Float[Tensor, " N"],
    roughness: Float[Tensor, " N"],
    steps: Int[Tensor, " N"],
) -> tuple[Float[Tensor, "N H W"], Float[Tensor, "N H W"]]:
    """Coordinates (Y, X) = (y, x) / S, stirred by ``steps`` whirls j of amplitude (2.25 − h)^(−j).

    r₀ = cos(1.93^j·Y + τ/1.15^j), r₁ = sin(1.93^j·X + τ/1.15^j), both over (2.25 − h)^j; X += r₀ − 0.3·r₁,
    Y += r₁ + 0.3·r₀.
    """
    device = scale.device
    y = (torch.arange(height, device=device) / scale[:, None])[:, :, None]
    x = (torch.arange(width, device=device) / scale[:, None])[:, None, :]
    size = torch.ones_like(roughness)
    for j in range(STEPS):
        shift = (time / SLOWDOWN**j)[:, None, None]
        now = (size * (j < steps))[:, None, None]
        r0 = (STRETCH**j * y + shift).cos_().mul_(now)
        r1 = (STRETCH**j * x + shift).sin_().mul_(now)
        x, y = x + r0 - 0.3 * r1, y + r1 + 0.3 * r0
        size = size / (2.25 - roughness)
    return y, x


def flow_colours(
    y: Float[Tensor, "N H W"], x: Float[Tensor, "N H W"], time: Float[Tensor, " N"]
) -> Float[Tensor, "N 3 H W"]:
    """(sin(X − τ), sin((X + Y + sin τ) / 2), sin(Y + τ)) as red, green and blue."""
    t = time[:, None, None]
    return torch.stack([(x - t).sin(), ((x + y + t.sin()) / 2).sin(), (y + t).sin()], 1)
