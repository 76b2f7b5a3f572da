"""The audit of MLflow's runs turns red for faults that its pages would show as wrong curves, or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric
from results_factory import make_results
from tracking_audit import audit, make_root

from robustmeta.tracking import runs, sync, write
from robustmeta.tracking.curves import Accuracy, Point

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")  # of its own code
Patch = Callable[[pytest.MonkeyPatch], None]


def float_step(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(write, "Metric", lambda k, v, t, s: Metric(k, v, t, s + 0.5 if s == 3 else s))


def no_clean_start(patch: pytest.MonkeyPatch) -> None:
    original = runs.curves
    patch.setattr(runs, "curves", lambda *args: [p for p in original(*args) if p.step])


def logged_again_later(patch: pytest.MonkeyPatch) -> None:
    create = write._Writer._create

    def twice(self: Any, run: Any, tags: Any) -> str:
        run_id = create(self, run, tags)
        self.client.log_batch(run_id, [Metric(p.key, p.value, p.time + 1, p.step) for p in run.points])
        return run_id

    patch.setattr(write._Writer, "_create", twice)


def runs_not_found_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(write._Writer, "_take", lambda self, tags: None)
    patch.setattr(write._Writer, "delete_others", lambda self: None)


def nothing_deleted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runs.Run, "content", lambda self: str(id(self)))
    patch.setattr(write._Writer, "delete_others", lambda self: None)


def seeds_not_nested(patch: pytest.MonkeyPatch) -> None:
    put = write._Writer.put
    patch.setattr(write._Writer, "put", lambda self, run, parent="": put(self, run))


def one_colour(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runs, "colours", lambda labels: dict.fromkeys(labels, "#000000"))


def a_seed_for_the_mean(patch: pytest.MonkeyPatch) -> None:
    original = runs.accuracies

    def first(results: Any, learner: str, seed: int | None = None) -> list[Accuracy]:
        return original(results, learner, 0 if seed is None else seed)

    patch.setattr(runs, "accuracies", first)


def rounded(patch: pytest.MonkeyPatch) -> None:
    original = runs.curves

    def cut(*args: Any) -> list[Point]:
        return [Point(p.key, p.step, round(p.value, 2), p.time) for p in original(*args)]

    patch.setattr(runs, "curves", cut)


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


FAULTS = (float_step, no_clean_start, logged_again_later, runs_not_found_again, nothing_deleted)
FAULTS = (*FAULTS, seeds_not_nested, one_colour, a_seed_for_the_mean, rounded)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_fault_is_found(fault: Patch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, root = make_results(seeds=(0, 1), learners=("maml",), targets=("one",)), make_root(tmp_path)
    fault(monkeypatch)
    sync(results, root, {})
    tracked = sync(results, root, {})
    with pytest.raises((AssertionError, KeyError)):
        audit(tracked, results)


def test_without_a_fault_the_audit_passes(tmp_path: Path) -> None:
    results, root = make_results(seeds=(0, 1), learners=("maml",), targets=("one",)), make_root(tmp_path)
    sync(results, root, {})
    audit(sync(results, root, {}), results)
