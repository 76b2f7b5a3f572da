"""What the training loop does for the options of ``training:``."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import trainings
from trainings import LEARNERS, Training

from robustmeta.config.study import Study
from robustmeta.core import copy_state, to_float
from robustmeta.study.centre import centre_rows

pytestmark = pytest.mark.usefixtures("fresh_plugins")


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


def test_the_resolved_study_is_a_study() -> None:
    study = tiny.study(training={"augment": trainings.FLIPS, "clip": 1.0}, budget={"seconds": 2.5})
    again = Study.model_validate(json.loads(study.model_dump_json()))
    assert again.training == study.training
    assert again.budget == study.budget
