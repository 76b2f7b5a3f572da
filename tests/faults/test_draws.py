"""Each check of support draws turns red on a planted fault."""

from typing import Any

import drawn
import numpy as np
import pytest
from tiny import Toy

from robustmeta.core import TaskShape, sample
from robustmeta.study import draws


def test_the_best_instead_of_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "kept", lambda right, worst: draws.kept(-right, worst))
    with pytest.raises(AssertionError):
        drawn.hold_worst()


def test_the_later_of_equal_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    def later(right: Any, worst: int) -> Any:
        return len(right) - 1 - draws.kept(right[::-1], worst)

    monkeypatch.setattr(drawn, "kept", later)
    with pytest.raises(AssertionError):
        drawn.hold_worst()


def test_queries_among_the_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = Toy(split="test").load(16, 1)
    episodes = sample(domain, TaskShape(3, 2, 3), 0, 0, 6)
    drawn.hold_disjoint(domain, episodes)
    monkeypatch.setattr(draws, "_candidates", _with_queries)
    with pytest.raises(AssertionError, match="a query stands in a support"):
        drawn.hold_disjoint(domain, episodes)


def _with_queries(domain: Any, episodes: Any) -> Any:
    labels = domain.labels.numpy()
    for t in range(len(episodes)):
        for k in range(episodes.way):
            one = labels[int(episodes.query[t][episodes.query_y[t] == k][0])]
            yield t, k, np.flatnonzero(labels == one)
