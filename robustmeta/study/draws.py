"""The worst of several clean supports for the same queries, as in Agarwal et al. 2021 (arXiv 2110.13953)."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.config.components import Adaptation
from robustmeta.core import CellError, Classifier, Domain, Episodes, TaskShape, to_float
from robustmeta.metrics.scores import Columns
from robustmeta.rng import Rng, combine
from robustmeta.shifts.shift import Shift
from robustmeta.study.victims import Adapting, unused

Advance = Callable[[int], None]


def supports(domain: Domain, episodes: Episodes, count: int, seed: int) -> Int[Tensor, "n T S"]:
    """Rows of the domain of ``count`` supports a task, its own first; labels stand where they stand in its own.

    Draw d ≥ 1 takes as many images of each class, without replacement, from all of that class but the task's queries:
    a pure function of (seed, d, episode, image ids), so fewer draws are the first of more.

    Raises:
        CellError: a class has no other images than a task's own.
    """
    drawn = episodes.support.numpy()[None].repeat(count, 0)
    numbers = np.arange(1, count, dtype=np.uint64)
    keys = Rng(seed, ("support draw",), combine(numbers[:, None], episodes.number[None])).bits(1)[..., 0]
    for t, k, left in _candidates(domain, episodes):
        places = np.flatnonzero(episodes.support_y[t].numpy() == k)
        score = combine(keys[:, t, None], domain.ids[left])
        drawn[1:, t, places] = left[np.argsort(score, axis=1, kind="stable")[:, : len(places)]]
    return torch.from_numpy(drawn)


def _candidates(domain: Domain, episodes: Episodes) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Task, class in it, and the rows of that class that are none of the task's queries."""
    for t in range(len(episodes)):
        for k in range(episodes.way):
            one, members, left = unused(domain, episodes, t, k, episodes.query[t].numpy())
            shot = int((episodes.support_y[t] == k).sum())
            if len(left) <= shot:
                raise CellError(
                    f"class {domain.classes[one]} of {domain.name} has {members} images, of which the queries of "
                    f"a task leave {len(left)}; to draw other supports of {shot} it needs {shot + 1} or more: "
                    "lower shot or query"
                )
            yield t, k, left


def kept(right: NDArray[np.int64], worst: int) -> NDArray[np.int64]:
    """The draws (worst, T) with the fewest right queries, worst first; of equal ones the earlier. right (n, T)."""
    return np.argsort(right, axis=0, kind="stable")[:worst]


def measure(
    victim: Adapting,
    own: Classifier,
    images: Tensor,
    episodes: Episodes,
    rows: Int[Tensor, "n T S"],
    score: Callable[[Tensor], Columns],
    worst: int,
    advance: Advance,
) -> tuple[Columns, Int[Tensor, " S"]]:
    """The records of the ``worst`` draws of each task, one after the other, and the first task's worst support.

    ``own``: the classifier of the tasks' own supports; ``score`` makes records of logits (T, Q, way).
    """
    x, shape = to_float(images[episodes.query]), episodes.shape
    tables: list[Columns] = []
    for d, support in enumerate(rows):
        classifier = victim(to_float(images[support]), episodes.support_y) if d else own
        with torch.no_grad():
            tables.append(score(classifier(x)))
        adapting = victim.adaptation.passes(shape, len(episodes)) if d else 0
        advance(adapting + len(episodes) * victim.adaptation.answer_passes(shape))
    right = np.stack([_right(table, len(episodes)) for table in tables])
    chosen = kept(right, worst)
    return _picked(tables, chosen), rows[int(chosen[0, 0]), 0]


def _right(table: Columns, tasks: int) -> NDArray[np.int64]:
    return (table["predicted"] == table["label"]).reshape(tasks, -1).sum(1)


def _picked(tables: Sequence[Columns], chosen: NDArray[np.int64]) -> Columns:
    """Of each task the records of the chosen draws (k, T)."""
    tasks = np.arange(chosen.shape[1])[:, None]
    return {
        name: np.stack([table[name].reshape(len(tasks), -1) for table in tables])[chosen.T, tasks].ravel()
        for name in tables[0]
    }


def passes(adaptation: Adaptation, shift: Shift, shape: TaskShape, tasks: int) -> int:
    """Images that measuring a point on so many tasks sends forward, beside adapting to their own supports."""
    draws = int(shift.value)
    return (draws - 1) * adaptation.passes(shape, tasks) + draws * tasks * adaptation.answer_passes(shape)
