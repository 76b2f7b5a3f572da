"""The nearest point of a hyperplane within [0, 1], and the steps of FAB between two of them."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Rows = Float[Tensor, "N D"]
PerRow = Float[Tensor, "N 1"]
Norm = Literal["linf", "l2"]

ROUNDS = 40
"""Newton steps at most; each ends in another piece of a concave function of few pieces that count."""

RATES: dict[Norm, Callable[[Rows], Rows]] = {"linf": torch.ones_like, "l2": lambda w: w.abs()}
"""How fast each entry moves along the shortest way to a hyperplane with normal w."""


def water_level(gain: Rows, rate: Rows, room: Rows, want: PerRow) -> PerRow:
    """The least λ ≥ 0 with Σᵢ gainᵢ · min(λ · rateᵢ, roomᵢ) = want; all are ≥ 0.

    Newton's method from λ = 0 on a concave, piecewise linear function: it rises to the solution, and stands on it when
    it has found its piece. Where the room does not suffice λ is so large that every entry of some gain is at its end.
    """
    level = torch.zeros_like(want)
    steep = gain * rate
    for _ in range(ROUNDS):
        moved = level * rate
        slope = (steep * (moved < room)).sum(-1, keepdim=True)
        missing = want - (gain * moved.minimum(room)).sum(-1, keepdim=True)
        go = (missing > 1e-6 * want) & (slope > 0)
        if not go.any():
            break
        level = level + (missing / slope.where(go, 1)).where(go, 0)
    return level


def to_hyperplane(x: Rows, w: Rows, value: PerRow, norm: Norm) -> Rows:
    """The shortest step d from x with ⟨w, d⟩ + value = 0 that stays in [0, 1]; as near as can be where none does.

    The projection of Croce and Hein 2020, Minimally distorted Adversarial Examples with a Fast Adaptive Boundary
    Attack: d = s · min(λ · r, room) with s towards the plane, r = 1 for L∞ and |w| for L2. ``value`` is what the
    plane's function is at x.
    """
    towards = -value.sign() * w.sign()
    room = (1 - x).where(towards > 0, x) * towards.abs()
    rate = RATES[norm](w)
    level = water_level(w.abs(), rate, room, value.abs())
    return towards * (level * rate).minimum(room)


def between(
    x: Rows, start: Rows, to_x: Rows, to_start: Rows, far: PerRow, near: PerRow, most: float, beyond: float
) -> Rows:
    """One step of FAB, (1 − α)(x + η d_x) + α(x₀ + η d_x₀) cut to [0, 1].

    The same paper: α = min(‖d_x‖ / (‖d_x‖ + ‖d_x₀‖), α_max), with η = ``beyond``, α_max = ``most``, ``far`` = ‖d_x‖
    and ``near`` = ‖d_x₀‖.
    """
    total = far + near
    alpha = (far / total.where(total > 0, 1)).clamp(max=most)
    return ((1 - alpha) * (x + beyond * to_x) + alpha * (start + beyond * to_start)).clamp(0, 1)


def nearest_border(w: Float[Tensor, "N K D"], value: Float[Tensor, "N K"], norm: Norm) -> Rows:
    """The shortest step onto the nearest of K hyperplanes ⟨w_k, d⟩ + value_k = 0, without the limits of [0, 1].

    Moosavi-Dezfooli et al. 2016, DeepFool, section 3: |f| w / ‖w‖₂² for L2, |f| sign(w) / ‖w‖₁ for L∞, where f < 0 on
    this side.
    """
    dual = w.norm(dim=-1) if norm == "l2" else w.abs().sum(-1)
    safe = dual.where(dual > 0, 1)
    distance = (value.abs() / safe).where(dual > 0, torch.inf)
    k = distance.argmin(-1)
    at = torch.arange(len(w))
    way = w[at, k] / safe[at, k, None] if norm == "l2" else w[at, k].sign()
    length = distance[at, k, None]
    return -value[at, k, None].sign() * way * length.where(length.isfinite(), 0)
