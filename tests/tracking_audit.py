"""What must hold of a study's runs in MLflow, read back through its client."""

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run
from sqlalchemy import event
from sqlalchemy.engine import Engine

from robustmeta.store.results import Results
from robustmeta.tracking import Tracked

History = dict[str, dict[str, list[tuple[int, float, int]]]]
"""run name -> metric -> (step, value, time)"""


@event.listens_for(Engine, "connect")
def _no_fsync(connection: Any, record: Any) -> None:
    # a test need not survive a power cut, and most of its time would go into waiting for the disk
    connection.execute("PRAGMA synchronous=OFF")


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    MlflowClient(f"sqlite:///{folder.name}/mlflow.db").search_experiments()
    return folder


def make_root(folder: Path) -> Path:
    """A folder of results whose database has its tables already, which takes MLflow seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(_template().name) / "mlflow.db", folder / "mlflow.db")
    return folder


def runs(tracked: Tracked) -> list[Run]:
    """The runs of the study that are not deleted."""
    return list(MlflowClient(tracked.tracking_uri).search_runs([tracked.experiment_id], max_results=1000))


def histories(tracked: Tracked) -> History:
    """Every point of every run."""
    client = MlflowClient(tracked.tracking_uri)
    return {
        run.info.run_name: {
            key: [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
        }
        for run in runs(tracked)
    }


def audit(tracked: Tracked, results: Results) -> None:
    """The layout that the pages of MLflow rest on, and the records in it."""
    study, found = results.study, runs(tracked)
    labels = [learner.label for learner in (*study.learners, *study.baselines)]
    seeds = [f"{label} seed {seed}" for label in labels for seed in study.seeds]
    names = [run.info.run_name for run in found]
    assert sorted(names) == sorted([*labels, *seeds, "report"])
    by_name = {run.info.run_name: run for run in found}
    for name in seeds:
        tags = by_name[name].data.tags
        assert tags["mlflow.parentRunId"] == by_name[tags["robustmeta.learner"]].info.run_id
    assert len({by_name[label].data.tags["mlflow.runColor"] for label in labels}) == len(labels)
    told = histories(tracked)
    for label in labels:
        _audit_curves(told[label], results.points[results.points["learner"] == label])
        for seed in study.seeds:
            mine = (results.seeds["learner"] == label) & (results.seeds["seed"] == seed)
            _audit_curves(told[f"{label} seed {seed}"], results.seeds[mine])


def _audit_curves(told: dict[str, list[tuple[int, float, int]]], records: Any) -> None:
    records = records[(records["metric"] == "accuracy") & records["mean"].notna()]
    clean = records[records["axis"] == "clean"].set_index("target")["mean"]
    expected: dict[str, dict[int, float]] = {}
    for row in records[records["axis"] != "clean"].itertuples():
        expected.setdefault(f"acc/{row.target}/{row.shift}", {0: clean[row.target]})[row.step] = row.mean
    curves = {key: points for key, points in told.items() if key.startswith("acc/")}
    assert set(curves) == set(expected)
    for key, points in curves.items():
        steps = [step for step, _, _ in points]
        assert all(type(step) is int for step in steps), f"{key}: a step is not an integer"
        assert min(steps) == 0, f"{key} does not start from clean"
        assert len(set(steps)) == len(steps), f"{key} has points twice"
        assert {step: value for step, value, _ in points} == expected[key]
