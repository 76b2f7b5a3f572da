"""How many classes an attack needs."""

import torch
from jaxtyping import Int
from torch import Tensor

from robustmeta.attacks.queries import Points
from robustmeta.core import StudyError
from robustmeta.functional.margins import rivals

DLR_WAY = 3
TARGETED_DLR_WAY = 4


def need(least: int, way: int, what: str) -> None:
    """Raise a StudyError where a task has too few classes."""
    if way < least:
        raise StudyError(f"{what} needs tasks of {least} classes or more; got {way}")


def targets(most: int, way: int) -> int:
    """How many other classes are targets, of ``most`` wanted."""
    return min(most, way - 1)


def aims(points: Points, rank: int) -> Int[Tensor, "n 2"]:
    """Of each point its class and a target: the other class of that rank by the clean logits, 0 the likeliest."""
    return torch.stack([points.y, rivals(points.clean, points.y)[:, rank]], -1)
