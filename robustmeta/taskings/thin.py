"""Leaves images out of supports, so many of each class, at random."""

import math
from dataclasses import replace

import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from robustmeta.core import Episodes
from robustmeta.rng import Rng


def shots(episodes: Episodes) -> Int[Tensor, "T way"]:
    """How many support images each class of each task has."""
    return F.one_hot(episodes.support_y, episodes.way).sum(1)


def thin(episodes: Episodes, keep: Int[Tensor, "T way"], rng: Rng) -> Episodes:
    """The episodes with ``keep[t, k]`` random support images of class k in task t, in the order they stood in.

    The images of a class go in one random order whatever ``keep`` is, so a smaller number keeps a part of what a larger
    one does.

    Raises:
        ValueError: the tasks would keep different numbers of images.
    """
    y = episodes.support_y
    order = rng.permutation(y.shape[1])
    place = _place_in_class(y.gather(1, order), episodes.way).gather(1, order.argsort(1))
    kept = place < keep.gather(1, y)
    sizes = kept.sum(1).unique()
    if len(sizes) > 1:
        raise ValueError(
            f"the tasks would keep {int(sizes[0])} to {int(sizes[-1])} support images; it needs supports with equally "
            "many images of every class, so put it before what unbalances them"
        )
    rows = (len(y), -1)
    return replace(episodes, support=episodes.support[kept].view(rows), support_y=y[kept].view(rows))


def _place_in_class(y: Int[Tensor, "T S"], way: int) -> Int[Tensor, "T S"]:
    """How many before each in its row have its label."""
    onehot = F.one_hot(y, way)
    return (onehot.cumsum(1) - onehot).gather(2, y[..., None])[..., 0]


def class_order(episodes: Episodes, rng: Rng) -> Int[Tensor, "T way"]:
    """A random rank 0..way-1 for each class of each task."""
    return rng.child("classes").permutation(episodes.way)


def whole(x: float) -> int:
    """The largest whole number not above x, forgiving the rounding of products such as 0.6 · 5."""
    return math.floor(x + 1e-9)
