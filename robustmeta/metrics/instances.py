"""Accuracy by how many images of a class a learner has been shown before (Santoro et al. 2016, table 1)."""

import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor


def instance(y: Int[Tensor, "T L"], way: int) -> Int[Tensor, "T L"]:
    """Which image of its class each image of a sequence is: 1, 2, ..."""
    return F.one_hot(y, way).cumsum(1).gather(2, y[..., None])[..., 0]


def by_elimination(way: int) -> float:
    """The best share of right guesses at the first image of a class: Hₙ / n with Hₙ = 1 + 1/2 + ... + 1/n.

    Nothing tells which label a new class has, but that it is none of those that have been shown: a guess is right with
    probability 1 / (n − j) after j classes, where each is known by sight to be new or not. More means that a label is
    seen before it is shown.

    >>> round(by_elimination(5), 3)
    0.457
    """
    return sum(1 / k for k in range(1, way + 1)) / way
