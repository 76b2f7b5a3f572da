"""Faults planted in the training loop, each of which must turn a check red."""

import itertools
import runpy
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import trainings

from robustmeta.core import CellError
from robustmeta.functional.schedules import share
from robustmeta.store.partial import Partial
from robustmeta.study import augment, centre, course, train
from robustmeta.study.course import Course
from robustmeta.study.distributed import Team
from robustmeta.study.validate import Validator

TESTS = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def test_an_augmentation_drawn_from_the_global_generator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trainings.expect_keyed_augmentation(tmp_path)
    unseeded = SimpleNamespace(manual_seed=lambda seed: None)
    monkeypatch.setattr(augment, "torch", SimpleNamespace(default_generator=unseeded, stack=torch.stack))
    with pytest.raises(AssertionError):
        trainings.expect_keyed_augmentation(tmp_path)


def test_an_augmentation_that_leaves_the_generator_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(augment, "drawing", nullcontext)
    with pytest.raises(AssertionError):
        trainings.expect_keyed_augmentation(tmp_path)


def test_a_schedule_that_ignores_warm_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(train, "share", lambda kind, progress, warmup: share(kind, progress))
    with pytest.raises(AssertionError):
        trainings.expect_warm_up(tmp_path)


def test_a_resume_that_forgets_the_moments_of_adam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trainings.expect_resumed(tmp_path / "sound", "protonet", 8)
    original = Course.resume

    def forgetful(self: Course, partial: Partial) -> None:
        groups = {k: v for k, v in partial.tensors.items() if k != "optimiser"}
        original(self, Partial(groups, {**partial.facts, "optimiser": {}}))

    monkeypatch.setattr(Course, "resume", forgetful)
    with pytest.raises(AssertionError):
        trainings.expect_resumed(tmp_path / "faulty", "protonet", 8)


@pytest.mark.parametrize("lost", ["best", "chosen", "curve", "checks"])
def test_a_resume_that_forgets_part_of_the_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: str) -> None:
    """The first check is the better one, in the run that is left alone and in the one that is killed after it."""
    found = itertools.cycle([0.9, 0.1])
    monkeypatch.setattr(Validator, "accuracy", lambda *_: [next(found)])
    trainings.expect_resumed(tmp_path / "sound", "protonet", 9)
    original = Course.resume

    def forgetful(self: Course, partial: Partial) -> None:
        original(self, partial)
        setattr(self.record, lost, getattr(course.Record(), lost))

    monkeypatch.setattr(Course, "resume", forgetful)
    with pytest.raises((AssertionError, CellError)):
        trainings.expect_resumed(tmp_path / "faulty", "protonet", 9)


def shared_step() -> Any:
    """The check that processes together take the step of one."""
    return runpy.run_path(str(TESTS / "study/test_distributed.py"))["test_a_step_of_every_method_that_can_be_shared"]


def test_processes_that_count_alike_whatever_their_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Team._whole

    def alike(self: Team, net: Any, before: Any, stats: Any, weight: float, error: Any) -> Any:
        return original(self, net, before, stats, 1 / self.size, error)

    check = shared_step()
    check("maml", "auto", None)
    monkeypatch.setattr(Team, "_whole", alike)
    with pytest.raises(AssertionError):
        check("maml", "auto", None)


def test_processes_that_keep_their_own_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Team._whole

    def own(self: Team, net: Any, *rest: Any) -> Any:
        mine = [b.clone() for b in net.buffers()]
        stats = original(self, net, *rest)
        for b, kept in zip(net.buffers(), mine, strict=True):
            b.copy_(kept)
        return stats

    monkeypatch.setattr(Team, "_whole", own)
    with pytest.raises(AssertionError):
        shared_step()("maml", "auto", None)


def test_a_centre_of_one_class(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check = runpy.run_path(str(TESTS / "study/test_training_loop.py"))[
        "test_the_centre_is_the_mean_feature_of_the_source_images"
    ]
    monkeypatch.setattr(centre, "centre_rows", lambda domain: np.flatnonzero(domain.labels.numpy() == 0))
    with pytest.raises(AssertionError):
        check(tmp_path)
