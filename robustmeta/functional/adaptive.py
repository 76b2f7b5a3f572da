"""When a step size is halved (Auto-PGD), and how a fixed one falls."""

import math
from collections.abc import Callable
from typing import Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor

Decay = Literal["constant", "linear", "cosine"]
DECAY: dict[Decay, Callable[[float], float]] = {
    "constant": lambda part: 1.0,
    "linear": lambda part: 1 - part,
    "cosine": lambda part: (1 + math.cos(math.pi * part)) / 2,
}
"""The factor on a step size when that part of the steps, in [0, 1), has been made."""


def checkpoints(steps: int) -> list[int]:
    """The steps w_j = ⌈p_j · steps⌉ at which a step size may be halved, rising, below ``steps``.

    p₀ = 0, p₁ = 0.22, p_{j+1} = p_j + max(p_j − p_{j−1} − 0.03, 0.06): Croce and Hein 2020, Reliable Evaluation of
    Adversarial Robustness with an Ensemble, section 3.2.
    """
    marks: list[int] = []
    before, p = 0.0, 0.22
    while p < 1:
        marks.append(math.ceil(round(p * steps, 6)))
        before, p = p, p + max(p - before - 0.03, 0.06)
    return sorted({m for m in marks if m < steps})


def stuck(
    rises: Int[Tensor, " N"],
    since: int,
    best: Float[Tensor, " N"],
    best_then: Float[Tensor, " N"],
    halved_then: Bool[Tensor, " N"],
) -> Bool[Tensor, " N"]:
    """Whether to halve a step size at a checkpoint, conditions 1 and 2 of the same section.

    1: the loss rose in less than ρ = 3/4 of the steps ``since`` the last checkpoint; 2: the step size was not halved
    there and the best loss has not grown since.
    """
    return (rises < 0.75 * since) | (~halved_then & (best <= best_then))
