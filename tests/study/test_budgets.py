"""How long training goes on under each kind of budget, what it costs, and when it is checked."""

import math
import time
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from torch import nn
from trainings import LEARNERS, STEPS, Training

from robustmeta.cli.show import ESTIMATE, plan_text
from robustmeta.core import CellError
from robustmeta.store.results import Outcome
from robustmeta.study.gather import gather
from robustmeta.study.pace import Pace
from robustmeta.study.validate import Validator

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def test_a_budget_in_steps_is_as_many_for_every_learner(tmp_path: Path) -> None:
    for name in LEARNERS:
        training = Training(tmp_path, name, budget={"steps": 3})
        content = training.run()
        assert content.protocol["steps"] == 3
        assert content.costs["images"] == 3 * training.work.learner.method.diet().images
        seen = sum(content.costs[k] for k in ("passes", "validation_passes", "centre_passes"))
        assert seen == training.work.passes


def test_a_budget_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes by training time alone; the clock here stands still but for a second a step and ten a check."""
    now = [0.0]
    original = Validator.accuracy

    def accuracy(self: Validator, *args: Any) -> list[float]:
        now[0] += 10
        return original(self, *args)

    def later(self: nn.Module, *args: Any, **options: Any) -> Any:
        now[0] += 1
        return step(self, *args, **options)

    step = torch.optim.Adam.step
    monkeypatch.setattr(Validator, "accuracy", accuracy)
    monkeypatch.setattr(torch.optim.Adam, "step", later)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    training = Training(tmp_path, budget={"seconds": 8}, training={"schedule": "linear"})
    content = training.run()
    history = content.tables["summary"]
    assert content.protocol["steps"] == 8
    assert content.costs["train_seconds"] == 8
    assert content.costs["validation_seconds"] == 20
    assert not content.protocol["reproducible"]
    assert history["rate"].to_numpy()[[0, -1]] == pytest.approx([3e-3, 3e-3 / 8])
    assert history.loc[history["val_accuracy"].notna(), "step"].tolist() == [4, 8]
    row = training.plan.rows[0]
    assert row.estimate
    assert row.passes > 1000
    assert plan_text(training.plan.rows).endswith(ESTIMATE)
    assert ESTIMATE not in plan_text(Training(tmp_path).plan.rows)
    told = gather(training.plan, training.store, Outcome(1, 0, 0, {})).protocol["budget"]
    assert told.startswith("8 seconds of training, the same for every learner and baseline; not reproducible")


def test_checks_by_seconds_are_due_by_the_share_of_them() -> None:
    pace = Pace(steps=1, checks=4, seconds=10)
    assert [pace.due(9, s) for s in (0.0, 2.4, 2.5, 7.6, 10.0, 12.0)] == [0, 0, 1, 3, 4, 4]
    assert [pace.progress(9, s) for s in (0.0, 2.5, 12.0)] == [0, 0.25, 1]


def scripted(monkeypatch: pytest.MonkeyPatch, accuracies: list[float]) -> None:
    """The checks find these accuracies, one after the other."""
    left = iter(accuracies)
    monkeypatch.setattr(Validator, "accuracy", lambda *_: [next(left)])


def test_training_stops_after_checks_without_a_better_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validation = {**tiny.document()["validation"], "checks": 6}
    training = Training(tmp_path, validation=validation, training={"early_stop": 2})
    scripted(monkeypatch, [0.5, 0.4, 0.6, 0.6, math.nan, 0.9])
    content = training.run()
    assert content.protocol["steps"] == 10
    assert content.protocol["selected_step"] == 6
    assert content.protocol["stopped_early"]
    scripted(monkeypatch, [0.5, 0.4, 0.6, 0.5, 0.7, 0.6])
    assert training.run().protocol["steps"] == STEPS


def test_every_check_diverged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [math.nan] * 2)
    with pytest.raises(CellError, match="diverged at every check"):
        Training(tmp_path).run()
