"""What honesty flags look at: outputs that are probabilities or random, images that leave their bounds."""

from collections.abc import Callable, Mapping
from itertools import combinations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robustmeta.functional.projection import BALLS

EXACT = 1e-5
ROUNDING = 2.0**-24
"""What storing x + δ in [0, 1] as float32 may add to an entry of δ."""


def probabilities(z: Float[Tensor, "*N way"]) -> Bool[Tensor, "*N"]:
    """Whether outputs could be probabilities: within [0, 1] and of sum 1, each to 1e-5.

    Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness, as its program checks.
    """
    inside = (z.amax(-1) < 1 + EXACT) & (z.amin(-1) > -EXACT)
    return inside & ((z.sum(-1) - 1).abs() < EXACT)


def spread(passes: Float[Tensor, "K *N way"]) -> float:
    """The largest ‖ẑᵢ − ẑⱼ‖₂ of a query in any two passes i, j, with ẑ = z / ‖z‖₂. The same program."""
    length = passes.norm(dim=-1, keepdim=True)
    unit = passes / length.where(length > 0, 1)
    pairs = combinations(unit.unbind(), 2)
    return max((float((a - b).norm(dim=-1).max()) for a, b in pairs), default=0.0)


Part = Callable[[Float[Tensor, "*N C H W"], float], Float[Tensor, "*N"]]


def _in_ball(norm: str) -> Part:
    """‖δ‖ / ε, less what rounding may have added to the norm."""

    def part(delta: Tensor, eps: float) -> Tensor:
        length = BALLS[norm].norm
        rounding = ROUNDING * length(torch.ones(delta.shape[-3:], dtype=torch.float64))
        return ((length(delta.double()) - rounding) / eps).flatten(-4).clamp(min=0)

    return part


def _in_square(delta: Tensor, eps: float) -> Tensor:
    """The side of the smallest square that holds all changed pixels, over the one allowed, ε of the short side."""
    changed = (delta != 0).any(-3)
    rows, columns = changed.any(-1), changed.any(-2)
    side = torch.maximum(_extent(rows), _extent(columns)).double()
    return side / max(1, round(eps * min(delta.shape[-2:])))


def _extent(marked: Bool[Tensor, "*N L"]) -> Tensor:
    """From the first to the last that is marked; 0 where none is."""
    place = torch.arange(1, marked.shape[-1] + 1)
    last, first = (place * marked).amax(-1), (place.flip(0) * marked).amax(-1)
    return (last + first - marked.shape[-1]).clamp(min=0)


PARTS: Mapping[str, Part] = {**{norm: _in_ball(norm) for norm in BALLS}, "patch": _in_square}
"""By norm: (δ, ε) -> how much of its bound a change takes; above 1 it is too much. Other norms have no measure."""


def whole(norm: str, shape: tuple[int, ...]) -> float:
    """The ε at which every image in [0, 1] of that shape (C, H, W) is allowed."""
    ones = torch.ones(shape)
    return float(BALLS[norm].norm(ones)) if norm in BALLS else 1.0
