"""How far a learner's answers hang on what must not matter: which class has which number, and the support's order."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from robustmeta.core import Episodes, Traits
from robustmeta.rng import Rng

TASKS, PERMUTATIONS = 10, 20


def free(traits: Traits) -> bool:
    """Whether neither can matter by construction."""
    return traits.equivariant and traits.order_free


def permuted(episodes: Episodes, traits: Traits, seed: int) -> Episodes:
    """The first ``TASKS`` tasks, each ``PERMUTATIONS`` times in a row, with classes renamed and supports reordered.

    What cannot matter by the learner's traits stays as it is. The episode numbers stay, so that nothing else changes.
    """
    some = episodes[:TASKS]
    row = torch.arange(len(some)).repeat_interleave(PERMUTATIONS)
    number = some.number[row.numpy()]
    copies = np.tile(np.arange(PERMUTATIONS, dtype=np.uint64), len(some))
    draws = Rng(seed, ("permute",), number * PERMUTATIONS + copies)
    names = torch.arange(some.way).expand(len(row), -1) if traits.equivariant else draws.permutation(some.way)
    images = some.support.shape[1]
    order = torch.arange(images).expand(len(row), -1) if traits.order_free else draws.permutation(images)
    return replace(
        some,
        number=number,
        support=some.support[row].gather(1, order),
        support_y=names.gather(1, some.support_y[row].gather(1, order)),
        query=some.query[row],
        query_y=names.gather(1, some.query_y[row]),
    )


def spread(correct: NDArray[np.float64], tasks: int) -> float:
    """Standard deviation of a task's accuracy over its permutations, mean over tasks.

    ``correct``: 1 for each right query and 0 for each wrong one, in the order of ``permuted`` episodes.
    """
    accuracy = correct.reshape(tasks, PERMUTATIONS, -1).mean(-1)
    return float(accuracy.std(1, ddof=1).mean())
