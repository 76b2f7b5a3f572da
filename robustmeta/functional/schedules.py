"""How a rate falls over training."""

import math
from collections.abc import Callable, Mapping

FALL: Mapping[str, Callable[[float], float]] = {
    "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,  # Loshchilov and Hutter 2017, SGDR, equation 5
    "linear": lambda t: 1 - t,
    "step": lambda t: 0.5 ** int(5 * t),
    "constant": lambda t: 1.0,
}
"""Kind -> the share of the highest rate at progress t in [0, 1]; ``step`` halves it after each fifth."""


def share(kind: str, progress: float, warmup: float = 0.0) -> float:
    """The share of the highest rate after a part ``progress`` of training.

    It rises along a line over the first ``warmup`` (a part of training in [0, 1)), then falls over the rest.
    """
    if progress < warmup:
        return progress / warmup
    return FALL[kind](min(1.0, (progress - warmup) / (1 - warmup)))
