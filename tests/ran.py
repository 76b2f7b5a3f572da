"""The tiny study run from plan to results, with what tests ask of it."""

from pathlib import Path
from typing import Any, Self

import pandas as pd
import tiny

from robustmeta.store.cells import Store
from robustmeta.store.results import Results
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.plan import Plan, plan


class Counting(Silent):
    """Adds up the images that are planned and those that are sent forward."""

    total = seen = 0

    def start(self, total_passes: int, cached: int, planned: int) -> None:
        """What is planned."""
        self.total = total_passes

    def advance(self, passes: int) -> None:
        """What is done."""
        self.seen += passes


class Run:
    """A run of the tiny study with some of its keys replaced, into a store of its own or one that is there."""

    def __init__(self, root: Path, **changes: Any) -> None:
        self.study = tiny.study(**changes)
        self.store, self.data, self.progress = Store(root), Data(self.study.images), Counting()
        self.plan: Plan = plan(self.study, self.store, self.data)
        self.outcome = execute(self.plan, self.store, self.data, self.progress)
        self.results: Results = gather(self.plan, self.store, self.outcome)

    def whole(self) -> Self:
        """Itself, if no cell of it has failed."""
        assert not self.outcome.failures, self.outcome.failures
        return self

    def work(self, learner: str, shift: str, step: int, seed: int = 0) -> Any:
        """The cell of a point."""
        found = [w for w in self.plan.work if w.shift and (w.learner.label, w.seed) == (learner, seed)]
        return next(w for w in found if w.shift and (w.shift.label, w.shift.step) == (shift, step))

    def queries(self, learner: str, shift: str, step: int, seed: int = 0) -> pd.DataFrame:
        """The records of a point, a row a query."""
        return self.store.table(self.work(learner, shift, step, seed).cell.key, "queries")

    def point(self, learner: str, shift: str, step: int, metric: str = "accuracy") -> float:
        """The mean of a point over seeds."""
        p = self.results.points
        keep = (p["learner"] == learner) & (p["shift"] == shift) & (p["step"] == step) & (p["metric"] == metric)
        (value,) = p[keep]["mean"]
        return float(value)


def keys(root: Path, **changes: Any) -> dict[tuple[str, str, int], str]:
    """(learner, shift, step) -> the key of its cell, of one seed; nothing is run."""
    study = tiny.study(**changes)
    return {(r.learner, r.shift, r.step): r.key for r in plan(study, Store(root), Data(study.images)).rows}
