"""Trainings of the tiny study one by one, and the checks that planted faults must turn red."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from torch import Tensor

from robustmeta.store.cells import Content, Store
from robustmeta.store.partial import Partials
from robustmeta.study.augment import augmenter
from robustmeta.study.data import Data
from robustmeta.study.distributed import SOLO, Team
from robustmeta.study.execute import Silent, Worker
from robustmeta.study.plan import Work, plan
from robustmeta.study.sampler import batch
from robustmeta.study.train import Loop
from robustmeta.study.trials import trials

SHAPE = {"way": 3, "shot": 2, "query": 3}
LEARNERS: dict[str, dict[str, Any]] = {
    "maml": {"name": "maml", "train": {**SHAPE, "tasks": 4}},
    "protonet": {"name": "protonet", "train": {**SHAPE, "tasks": 2}},
    "reptile": {"name": "reptile", "train": {**SHAPE, "query": 0, "tasks": 3}, "inner_steps": 2, "test_steps": 2},
    "supervised": {"name": "supervised", "train": {"batch": 32}},
}
STEPS = 12
FLIPS = [{"RandomCrop": {"size": 16, "padding": 2}}, "RandomHorizontalFlip"]


class Training:
    """One training of a study, which can be run again and again."""

    def __init__(self, folder: Path, learner: str = "protonet", **changes: Any) -> None:
        given = {"learners": [LEARNERS[learner]], "baselines": [], "shifts": [], "budget": {"steps": STEPS}} | changes
        self.study = tiny.study(**given)
        self.store, self.data = Store(folder), Data(self.study.images)
        self.plan = plan(self.study, self.store, self.data)
        self.work: Work = self.plan.work[0]
        self.partials = Partials(self.store)
        self.worker = Worker(self.study, self.store, self.data, Silent())

    def loop(
        self, advance: Callable[[int], None] = lambda _: None, partials: Partials | None = None, team: Team = SOLO
    ) -> Loop:
        """A loop at its start, or where a checkpoint lets it begin."""
        validators = [self.worker._validating(trial) for trial in trials(self.study, self.work.learner)]
        return Loop(self.work, self.study, self.worker._source(), validators, advance, partials, team)

    def run(self, **options: Any) -> Content:
        """Train to the end, on one thread."""
        with self.worker._threads():
            return self.loop(**options).run()


def expect_same(a: Content, b: Content) -> None:
    """Raise AssertionError unless two trainings have given the same bits."""
    assert a.protocol == b.protocol
    assert a.tables["summary"].equals(b.tables["summary"])
    for name, value in a.tensors["model"].items():
        assert torch.equal(value, b.tensors["model"][name]), name


class Killed(BaseException):
    """What no part of the program catches."""


def killed_after(steps: int) -> Callable[[int], None]:
    """An advance that ends the run in the middle of things, after so many calls."""
    calls: list[int] = []

    def advance(passes: int) -> None:
        calls.append(passes)
        if len(calls) > steps:
            raise Killed

    return advance


def expect_resumed(folder: Path, learner: str, steps: int, **changes: Any) -> None:
    """A run that is killed after some steps and goes on ends as one that was left alone."""
    changes["training"] = {"save_every": 1, **changes.get("training", {})}
    training = Training(folder, learner, **changes)
    whole = training.run()
    with pytest.raises(Killed):
        training.run(advance=killed_after(steps), partials=training.partials)
    loop = training.loop(partials=training.partials)
    assert 0 < loop.record.step <= steps, "it goes on, and does not start anew"
    expect_same(loop.run(), whole)


def expect_warm_up(folder: Path) -> None:
    """The rate rises along a line and then falls along the schedule, at every step."""
    training = {"schedule": "linear", "warmup": 0.25}
    rates = Training(folder, training=training).run().tables["summary"]["rate"].to_numpy() / 3e-3
    expected = [(k / 12) / 0.25 if k < 3 else 1 - (k / 12 - 0.25) / 0.75 for k in range(12)]
    assert rates == pytest.approx(expected, abs=1e-12)


def augmented(training: Training, step: int = 3, tasks: slice = slice(None)) -> Tensor:
    """The support of a training step."""
    domain, diet = training.worker._source(), training.work.learner.method.diet()
    return batch(domain, diet, 0, step, augmenter(training.study.training), tasks).support_x  # type: ignore[union-attr]


def expect_keyed_augmentation(folder: Path) -> None:
    """Augmented images follow from their keys alone, and leave torch's generator as it was."""
    training = Training(folder, training={"augment": FLIPS})
    torch.manual_seed(1)
    before, first = torch.random.get_rng_state(), augmented(training)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(augmented(training), first)
    assert torch.equal(augmented(training, tasks=slice(1, 2)), first[1:2])
    assert not torch.equal(augmented(Training(folder)), first)
