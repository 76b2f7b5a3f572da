"""Support draws written out plainly, and what must hold of them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robustmeta.core import to_float
from robustmeta.rng import Rng, combine
from robustmeta.study.draws import kept, supports


def rights(bench: Any, draws: int, tasks: int) -> NDArray[np.int64]:
    """Right queries (draws, tasks) of each draw of each task, one adaptation after the other."""
    domain, out = bench.domain, np.zeros((draws, tasks), np.int64)
    for t in range(tasks):
        e = bench.episodes[t : t + 1]
        for d in range(draws):
            rows = [int(row) for row in e.support[0]]
            if d:
                number = combine(np.array([d], np.uint64), e.number)
                key = Rng(bench.seed, ("support draw",), number).bits(1)[0, 0]
                for k in range(e.way):
                    one = next(int(domain.labels[q]) for q, y in zip(e.query[0], e.query_y[0], strict=True) if y == k)
                    free = [r for r in range(len(domain.labels)) if domain.labels[r] == one and r not in e.query[0]]
                    free.sort(key=lambda r: int(combine(key, domain.ids[r])))
                    for place, row in zip(np.flatnonzero(e.support_y[0] == k), free, strict=False):
                        rows[place] = row
            x = to_float(domain.images[torch.tensor([rows])])
            classifier = bench.adaptation.adapt(bench.net, x, e.support_y, e.way, Rng(bench.seed, ("adapt",), e.number))
            with torch.no_grad():
                answers = classifier(to_float(domain.images[e.query])).argmax(-1)
            out[d, t] = int((answers == e.query_y).sum())
    return out


def hold_disjoint(domain: Any, episodes: Any, draws: int = 8) -> None:
    """No draw holds a query or an image twice; classes stand as in the task's own; fewer are the first of more."""
    rows = supports(domain, episodes, draws, 0)
    assert torch.equal(rows[0], episodes.support)
    assert torch.equal(domain.labels[rows], domain.labels[episodes.support].expand_as(rows))
    for t in range(len(episodes)):
        assert not np.isin(rows[:, t], episodes.query[t]).any(), "a query stands in a support"
        for drawn in rows[:, t]:
            assert len(drawn.unique()) == len(drawn), "an image stands twice"
    assert len({tuple(sorted(r.tolist())) for r in rows[:, 0]}) > draws // 2, "the draws are the same"
    assert torch.equal(supports(domain, episodes, draws // 2, 0), rows[: draws // 2]), "fewer are not the first"
    assert torch.equal(supports(domain, episodes[2:4], draws, 0), rows[:, 2:4]), "a task's draws hang on others"
    assert not torch.equal(supports(domain, episodes, draws, 1)[1:], rows[1:]), "the seed changes nothing"


def hold_worst() -> None:
    """Those with the fewest right queries are kept, the earlier of equals, whatever else."""
    right = np.array([[3, 1], [2, 1], [2, 0], [5, 1]])
    assert kept(right, 1).tolist() == [[1, 2]]
    assert kept(right, 3).tolist() == [[1, 2], [2, 0], [0, 1]]
    many = np.random.default_rng(0).integers(0, 9, (12, 40))
    means = [np.take_along_axis(many[:n], kept(many[:n], 2), 0).mean() for n in range(2, 13)]
    assert (np.diff(means) <= 0).all(), "more draws raise what is kept"
    np.testing.assert_array_equal(np.take_along_axis(many, kept(many, 2), 0), np.sort(many, 0)[:2])
