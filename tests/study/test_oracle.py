"""A study whose checkpoints are selected on its targets and whose images were augmented: all that is told of it."""

from pathlib import Path
from typing import Any

import pytest
import tiny
from ran import Run
from trainings import LEARNERS, Training

from robustmeta.report.findings import findings
from robustmeta.report.headline import verdicts
from robustmeta.report.page import html
from robustmeta.study.network import load
from robustmeta.study.train import HISTORY
from robustmeta.study.trials import trials
from robustmeta.study.validate import Validator
from robustmeta.tracking.curves import training as curve_points
from robustmeta.tracking.runs import learner_runs

pytestmark = pytest.mark.usefixtures("fresh_plugins")
CONTRAST = {"corruption": "contrast", "severity": [3]}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Run:
    changes: dict[str, Any] = {"budget": {"steps": 4}, "shifts": [CONTRAST], "learners": [LEARNERS["protonet"]]}
    validation = {**tiny.document()["validation"], "select": "target_oracle"}
    training = {"augment": [{"ColorJitter": {"contrast": 0.3}}], "clip": 5.0}
    return Run(tmp_path_factory.mktemp("store"), validation=validation, training=training, **changes).whole()


def test_an_oracle_selects_on_other_tasks_of_the_targets(oracle: Run) -> None:
    study, (trial,) = oracle.study, trials(oracle.study, oracle.study.learners[0])
    assert trial.sources == (study.targets[0].source,)
    assert trial.seed != study.evaluation.seed
    work = oracle.plan.work[0]
    selected = oracle.store.head(work.cell.key)["protocol"]["val_accuracy"]
    domain = oracle.data.domain([study.targets[0].source])
    episodes = oracle.data.episodes(trial.sources, trial.shape, trial.seed, study.validation.episodes)
    validator = Validator(domain, episodes, trial.seed, study.backbone)
    net = load(study, work.learner, 12, oracle.store, work.cell.key)
    assert validator.accuracy(net, [work.learner.method.adaptation()])[0] == pytest.approx(selected)


def test_an_oracle_is_named_wherever_its_numbers_are(oracle: Run) -> None:
    results = oracle.results
    assert results.points["notes"].str.contains("oracle").all()
    assert "no one can select like this" in results.protocol["checkpoint"]
    assert oracle.store.head(oracle.plan.work[0].cell.key)["protocol"]["selection"] == "target_oracle"
    found = verdicts(findings(results))
    assert found
    assert all(any("oracle" in remark for remark in v.remarks) for v in found)
    page = html(results)
    assert "the targets (oracle)" in page
    assert "source validation over images" not in page
    runs = [run for learner, seeds in learner_runs(results) for run in (learner, *seeds)]
    assert all("no one can select" in run.params["selection"] for run in runs)


def test_a_shift_seen_in_training_is_named_in_report_and_records(oracle: Run) -> None:
    points = oracle.results.points
    assert points.loc[points["shift"] == "contrast", "notes"].str.contains("seen_shift").all()
    assert not points.loc[points["shift"] == "clean", "notes"].str.contains("seen_shift").any()
    assert "contrast (by ColorJitter)" in oracle.results.protocol["seen_shift"]
    assert "seen_shift: training images went through ColorJitter" in html(oracle.results)
    work = next(w for w in oracle.plan.work if w.shift and w.shift.label == "contrast")
    assert any("seen_shift" in note for note in oracle.store.head(work.cell.key)["protocol"]["notes"])


def test_the_history_is_in_mlflow_by_step(oracle: Run) -> None:
    points = curve_points(oracle.results, "protonet", 0, 0)
    steps = {key: [p.step for p in points if p.key == key] for key in {p.key for p in points}}
    every = [1, 2, 3, 4]
    assert steps == {"train/loss": every, "train/rate": every, "train/gradient_norm": every, "val/accuracy": [2, 4]}
    assert [c for c in HISTORY if c not in oracle.results.training] == []


def test_costs_are_complete(oracle: Run) -> None:
    costs = oracle.results.costs
    wanted = ["images", "train_seconds", "validation_seconds", "adapt_seconds_per_task", "train_passes"]
    assert (costs[wanted] > 0).all(axis=None)
    whole = oracle.store.costs(oracle.plan.work[0].cell.key)
    assert whole["seconds"] >= whole["train_seconds"] + whole["validation_seconds"]


def test_an_oracles_key_has_its_targets(tmp_path: Path) -> None:
    validation = {**tiny.document()["validation"], "select": "target_oracle"}
    other = [{"label": "new", "name": "toy", "split": "test", "style": 1}]
    keys = [
        Training(tmp_path, validation=v, **c).work.cell.key for v in (validation, {}) for c in ({}, {"targets": other})
    ]
    assert len(set(keys)) == 3
    assert keys[2] == keys[3]
