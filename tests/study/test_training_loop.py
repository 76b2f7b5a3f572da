"""What the training loop does for the options of ``training:``, ``budget:`` and ``validation.select``."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import trainings
from torch import nn
from trainings import LEARNERS, STEPS, Training, expect_same

from robustmeta.cli.show import ESTIMATE, plan_text
from robustmeta.config.augmenting import transforms
from robustmeta.config.study import Study
from robustmeta.core import CellError, copy_state, to_float
from robustmeta.corruptions.albumentations_levels import LEVELS as theirs
from robustmeta.corruptions.nrtk_levels import LEVELS as others
from robustmeta.registry import builtin
from robustmeta.report.findings import findings
from robustmeta.report.headline import verdicts
from robustmeta.report.page import html
from robustmeta.store.cells import Store
from robustmeta.store.results import Outcome
from robustmeta.study.augment import OVERLAPS, augmenter, seen
from robustmeta.study.centre import centre_rows
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.network import load
from robustmeta.study.pace import Pace
from robustmeta.study.plan import plan, trials
from robustmeta.study.shifts import points
from robustmeta.study.train import HISTORY
from robustmeta.study.validate import Validator
from robustmeta.tracking.curves import training as curve_points
from robustmeta.tracking.runs import learner_runs

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


def test_warm_up_and_schedule(tmp_path: Path) -> None:
    trainings.expect_warm_up(tmp_path)


@pytest.mark.parametrize(("name", "highest"), [("reptile", 1.0), ("maml", 3e-3)])
def test_no_schedule_is_the_methods_own(tmp_path: Path, name: str, highest: float) -> None:
    rates = Training(tmp_path, name, budget={"steps": 4}).run().tables["summary"]["rate"]
    falls = {"reptile": [1, 0.75, 0.5, 0.25], "maml": [(1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]}
    assert rates.tolist() == pytest.approx([highest * f for f in falls[name]])
    constant = Training(tmp_path, name, budget={"steps": 4}, training={"schedule": "constant"})
    assert constant.run().tables["summary"]["rate"].tolist() == [highest] * 4


def one_step(folder: Path, **training: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], float]:
    """Reptile's weights before and after its first step, which is plain descent at rate 1; its gradient's norm."""
    training = {"schedule": "constant", **training}
    made = Training(folder, "reptile", budget={"steps": 1}, training=training)
    loop = made.loop()
    before = copy_state(loop.course.net)
    content = loop.run()
    names = dict(loop.course.net.named_parameters())
    after = {k: content.tensors["model"][k] for k in names}
    return {k: before[k] for k in names}, after, float(content.tables["summary"]["gradient_norm"][0])


def norm(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return math.sqrt(sum(float((a[k] - b[k]).double().square().sum()) for k in a))


def test_the_gradient_is_clipped_by_its_whole_norm(tmp_path: Path) -> None:
    before, after, length = one_step(tmp_path)
    assert norm(before, after) == pytest.approx(length, rel=1e-4)
    clipped_before, clipped, told = one_step(tmp_path, clip=length / 4)
    assert told == length, "the history has the norm as it came"
    assert norm(clipped_before, clipped) == pytest.approx(length / 4, rel=1e-4)
    _, loose, _ = one_step(tmp_path, clip=2 * length)
    assert all(torch.equal(loose[k], after[k]) for k in after)


def test_weights_decay_before_the_step(tmp_path: Path) -> None:
    before, plain, _ = one_step(tmp_path)
    _, decayed, _ = one_step(tmp_path, weight_decay=0.1)
    for k in plain:
        torch.testing.assert_close(decayed[k], plain[k] - 0.1 * before[k], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", LEARNERS)
def test_half_precision_is_near_and_leaves_the_network_as_it_was(tmp_path: Path, name: str) -> None:
    full = Training(tmp_path, name, budget={"steps": 2}).run()
    made = Training(tmp_path, name, budget={"steps": 2}, training={"precision": "bf16"})
    loop = made.loop()
    half = loop.run()
    losses = [c.tables["summary"]["loss"].to_numpy() for c in (full, half)]
    assert not np.array_equal(*losses)
    np.testing.assert_allclose(*losses, rtol=0.05)
    assert all(v.dtype != torch.bfloat16 for v in half.tensors["model"].values())
    assert not any("forward" in vars(m) for m in loop.course.net.modules())


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


def test_augmented_images_are_keyed(tmp_path: Path) -> None:
    trainings.expect_keyed_augmentation(tmp_path)


def test_each_image_has_a_draw_of_its_own_and_plain_images_too(tmp_path: Path) -> None:
    training = Training(tmp_path, "supervised", training={"augment": ["RandomHorizontalFlip"]})
    augment = augmenter(training.study.training)
    domain, diet = training.worker._source(), training.work.learner.method.diet()
    plain, flipped = (trainings.batch(domain, diet, 0, 0, a) for a in (None, augment))
    same = (flipped.x == plain.x).flatten(1).all(1)  # type: ignore[union-attr]
    mirrored = (flipped.x == plain.x.flip(-1)).flatten(1).all(1)  # type: ignore[union-attr]
    assert bool((same | mirrored).all())
    assert 5 < int(same.sum()) < 27
    assert torch.equal(flipped.y, plain.y)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", LEARNERS)
def test_every_kind_of_meal_can_be_augmented(tmp_path: Path, name: str) -> None:
    content = Training(tmp_path, name, budget={"steps": 2}, training={"augment": trainings.FLIPS}).run()
    assert content.protocol["steps"] == 2


def test_augmented_training_has_its_own_numbers_and_says_so(tmp_path: Path) -> None:
    training = Training(tmp_path, training={"augment": trainings.FLIPS})
    content = training.run()
    assert content.protocol["augmentation"] == "RandomCrop(size 16, padding 2), RandomHorizontalFlip"
    expect_same(training.run(), content)
    plain = Training(tmp_path).run()
    assert plain.protocol["augmentation"] == "none"
    assert not torch.equal(
        plain.tensors["model"]["body.block0.conv.weight"], content.tensors["model"]["body.block0.conv.weight"]
    )


SHIFTS = [
    {"corruption": "contrast", "severity": [3]},
    {"corruption": "brightness", "severity": [3]},
    {"label": "chain", "corruption": [{"gaussian_noise": 1}, {"contrast": 2}]},
    {"sequence": "rotate"},
    {"attack": "pgd", "eps": [0.1], "steps": 1},
]


@pytest.mark.parametrize(
    ("augment", "overlapping"),
    [
        ([], {}),
        (["RandomHorizontalFlip"], {}),
        ([{"ColorJitter": {"contrast": 0.3}}], {"contrast", "chain"}),
        ([{"ColorJitter": {"brightness": 0.3}}], {"brightness"}),
        ([{"RandomRotation": {"degrees": 10}}], {"rotate-frames"}),
        (["GaussianNoise"], {"chain"}),
        ([{"JPEG": {"quality": [10, 50]}}], {}),
    ],
)
def test_shifts_that_training_has_shown_are_named(augment: list[Any], overlapping: set[str]) -> None:
    study = tiny.study(shifts=SHIFTS, training={"augment": augment})
    noted = {p.label for p in points(study) if any(n.startswith("seen_shift") for n in p.notes)}
    assert noted == set(overlapping) == {p.label for p in points(study) if seen(study.training, p)}


def test_what_augmentation_overlaps_exists() -> None:
    known = {*builtin("corruptions"), *builtin("sequences"), *theirs, *others}
    assert set(OVERLAPS) <= set(transforms())
    assert {name for like in OVERLAPS.values() for names in like.values() for name in names} <= known


class Done:
    def __init__(self, folder: Path, **changes: Any) -> None:
        self.study = tiny.study(**changes)
        self.store, self.data = Store(folder), Data(self.study.images)
        self.plan = plan(self.study, self.store, self.data)
        outcome = execute(self.plan, self.store, self.data, Silent())
        assert not outcome.failures, outcome.failures
        self.results = gather(self.plan, self.store, outcome)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Done:
    changes: dict[str, Any] = {"budget": {"steps": 4}, "shifts": SHIFTS[:1], "learners": [LEARNERS["protonet"]]}
    validation = {**tiny.document()["validation"], "select": "target_oracle"}
    training = {"augment": [{"ColorJitter": {"contrast": 0.3}}], "clip": 5.0}
    return Done(tmp_path_factory.mktemp("store"), validation=validation, training=training, **changes)


def test_an_oracle_selects_on_other_tasks_of_the_targets(oracle: Done) -> None:
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


def test_an_oracle_is_named_wherever_its_numbers_are(oracle: Done) -> None:
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


def test_a_shift_seen_in_training_is_named_in_report_and_records(oracle: Done) -> None:
    points = oracle.results.points
    assert points.loc[points["shift"] == "contrast", "notes"].str.contains("seen_shift").all()
    assert not points.loc[points["shift"] == "clean", "notes"].str.contains("seen_shift").any()
    assert "contrast (by ColorJitter)" in oracle.results.protocol["seen_shift"]
    assert "seen_shift: training images went through ColorJitter" in html(oracle.results)
    work = next(w for w in oracle.plan.work if w.shift and w.shift.label == "contrast")
    assert any("seen_shift" in note for note in oracle.store.head(work.cell.key)["protocol"]["notes"])


def test_the_history_is_in_mlflow_by_step(oracle: Done) -> None:
    points = curve_points(oracle.results, "protonet", 0, 0)
    steps = {key: [p.step for p in points if p.key == key] for key in {p.key for p in points}}
    every = [1, 2, 3, 4]
    assert steps == {"train/loss": every, "train/rate": every, "train/gradient_norm": every, "val/accuracy": [2, 4]}
    assert [c for c in HISTORY if c not in oracle.results.training] == []


def test_costs_are_complete(oracle: Done) -> None:
    costs = oracle.results.costs
    wanted = ["images", "train_seconds", "validation_seconds", "adapt_seconds_per_task", "train_passes"]
    assert (costs[wanted] > 0).all(axis=None)
    whole = oracle.store.costs(oracle.plan.work[0].cell.key)
    assert whole["seconds"] >= whole["train_seconds"] + whole["validation_seconds"]


def test_the_centre_is_the_mean_feature_of_the_source_images(tmp_path: Path) -> None:
    for name, embeds in (("protonet", True), ("supervised", True), ("maml", False), ("reptile", False)):
        training = Training(tmp_path, name, budget={"steps": 2})
        loop = training.loop()
        content = loop.run()
        centre, images = content.tensors["model"]["centre"], training.worker._source().images
        with torch.no_grad():
            mean = loop.course.net.body(to_float(images)).mean(0)  # type: ignore[operator]
        torch.testing.assert_close(centre, mean if embeds else torch.zeros_like(mean), atol=1e-5, rtol=1e-5)
        assert content.costs["centre_passes"] == (len(images) if embeds else 0)


def test_of_many_images_a_part_spread_over_the_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = tiny.Toy(classes=12, images=14).load(16, 1)
    assert np.array_equal(centre_rows(domain), np.arange(168))
    monkeypatch.setattr("robustmeta.study.centre.MOST", 60)
    rows = centre_rows(domain)
    assert len(set(rows.tolist())) == 60
    assert set(np.bincount(domain.labels.numpy()[rows])) == {5}


TRAINING_KEYS = [
    ("schedule", "linear", True),
    ("warmup", 0.1, True),
    ("clip", 1.0, True),
    ("weight_decay", 0.1, True),
    ("augment", ["RandomHorizontalFlip"], True),
    ("precision", "bf16", True),
    ("early_stop", 1, True),
    ("save_every", 5, False),
]


@pytest.mark.parametrize(("field", "value", "changes"), TRAINING_KEYS)
def test_what_changes_numbers_changes_the_key(tmp_path: Path, field: str, value: Any, changes: bool) -> None:
    plain, changed = Training(tmp_path), Training(tmp_path, training={field: value})
    assert (plain.work.cell.key != changed.work.cell.key) == changes


def test_an_oracles_key_has_its_targets(tmp_path: Path) -> None:
    validation = {**tiny.document()["validation"], "select": "target_oracle"}
    other = [{"label": "new", "name": "toy", "split": "test", "style": 1}]
    keys = [
        Training(tmp_path, validation=v, **c).work.cell.key for v in (validation, {}) for c in ({}, {"targets": other})
    ]
    assert len(set(keys)) == 3
    assert keys[2] == keys[3]


def test_the_resolved_study_is_a_study() -> None:
    study = tiny.study(training={"augment": trainings.FLIPS, "clip": 1.0}, budget={"seconds": 2.5})
    again = Study.model_validate(json.loads(study.model_dump_json()))
    assert again.training == study.training
    assert again.budget == study.budget
