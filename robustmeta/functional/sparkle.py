"""The light of a sparkle: rays of random lengths around a centre."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustmeta.functional.polar import angle, offsets

RAYS = (50, 200)
"""A sparkle has at least so many rays, and less than so many."""


def light(
    height: int,
    width: int,
    centre: Float[Tensor, "N 2"],
    count: Int[Tensor, " N"],
    length: Float[Tensor, "N M"],
    exponent: float,
) -> Float[Tensor, "N H W"]:
    """Light w = clip((L² / (r² + 10⁻⁴))^e · (1 − (f − ½)²), 0, 1) at distance r from the centre.

    q = (atan2(x − c_x, y − c_y) + π) · m / 2π counts the m rays around, f is the rest of q, and L goes from the length
    of ray ⌊q⌋ to the next, linearly in f. Lengths in pixels, M ≥ m of them.
    """
    y, x = offsets(height, width, centre)
    q = angle(x, y).add_(math.pi).mul_(count[:, None, None] / (2 * math.pi))
    ray = q.floor()
    f = q.sub_(ray)
    around = torch.arange(length.shape[1] + 2, device=length.device) % count[:, None]
    rays = length.gather(1, around)  # ray m is ray 0 again
    at = ray.flatten(1).long()
    here = rays.gather(1, at).view_as(f)
    step = rays.diff(dim=1).gather(1, at).view_as(f)
    reach = here.add_(step.mul_(f)).square_().div_((y.square() + x.square()).add_(1e-4))
    if exponent != 1:
        reach = reach.log_().mul_(exponent).exp_()  # like pow, but with the same last bit everywhere in memory
    return reach.mul_(1 - f.sub_(0.5).square_()).clamp_(0, 1)
