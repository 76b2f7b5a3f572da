"""A training that was killed goes on from its checkpoint and ends with the same bits."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trainings
from safetensors import safe_open
from trainings import LEARNERS, Killed, Training, expect_same, killed_after

from robustmeta.store.cells import Store
from robustmeta.store.partial import Partial, Partials
from robustmeta.study import execute as execution
from robustmeta.study.execute import Silent, execute

pytestmark = pytest.mark.usefixtures("fresh_plugins")
TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_bits_are_those_of_a_run_that_was_left_alone(tmp_path: Path, learner: str) -> None:
    trainings.expect_resumed(tmp_path, learner, 8)


def test_so_they_are_with_every_option(tmp_path: Path) -> None:
    training = {"warmup": 0.2, "clip": 1.0, "weight_decay": 0.01, "augment": trainings.FLIPS, "early_stop": 5}
    trainings.expect_resumed(tmp_path, "protonet", 5, training=training)


def test_checkpoints_stand_every_so_many_steps(tmp_path: Path) -> None:
    training = Training(tmp_path, training={"save_every": 5})
    with pytest.raises(Killed):
        training.run(advance=killed_after(9), partials=training.partials)
    assert training.loop(partials=training.partials).record.step == 5


@pytest.mark.slow
def test_a_killed_process_leaves_what_the_next_goes_on_from(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
from trainings import Training
training = Training(Path({str(tmp_path)!r}), "maml", training={{"save_every": 2}})
calls = []
def advance(passes):
    calls.append(passes)
    if len(calls) == 8:
        os.kill(os.getpid(), signal.SIGKILL)
training.run(advance=advance, partials=training.partials)
"""
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -signal.SIGKILL
    training = Training(tmp_path, "maml", training={"save_every": 2})
    loop = training.loop(partials=training.partials)
    assert loop.record.step > 0
    expect_same(loop.run(), training.run())


def test_a_run_goes_on_and_clears_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the executor: the checkpoint is beside the store while it is needed, and gone with the cell."""
    training = Training(tmp_path, training={"save_every": 1})
    watched = Silent()
    monkeypatch.setattr(watched, "advance", killed_after(6))
    with pytest.raises(Killed):
        execute(training.plan, training.store, training.data, watched)
    assert [p.name for p in tmp_path.iterdir()] == ["partial"]
    assert training.partials.path(training.work.cell.key).is_file()
    steps: list[int] = []

    class Watched(execution.Loop):
        def run(self) -> Any:
            steps.append(self.record.step)
            return super().run()

    monkeypatch.setattr(execution, "Loop", Watched)
    assert not execute(training.plan, training.store, training.data, Silent()).failures
    assert steps[0] > 0
    assert not (tmp_path / "partial").exists()
    assert not list(tmp_path.glob(".writing*"))
    whole = Training(tmp_path / "other", training={"save_every": 1}).run()
    stored = training.store.tensors(training.work.cell.key, "model")
    assert all(stored[k].equal(v) for k, v in whole.tensors["model"].items())


def killed(tmp_path: Path) -> Training:
    training = Training(tmp_path, training={"save_every": 1})
    with pytest.raises(Killed):
        training.run(advance=killed_after(10), partials=training.partials)  # a start, 8 steps, a check among them
    return training


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def changed(path: Path, **facts: Any) -> None:
    """The checkpoint with other facts, or with tensors left out."""
    partials = Partials(Store(path.parents[1]))
    partial = partials.load(path.stem)
    assert partial
    groups = {k: v for k, v in partial.tensors.items() if k != facts.get("without")}
    partials.save(path.stem, Partial(groups, {**partial.facts, **facts}))


def of_another_network(path: Path) -> None:
    changed(path, without="net")


def without_a_record(path: Path) -> None:
    changed(path, record={"stepp": 3})


def with_other_moments(path: Path) -> None:
    changed(path, optimiser={"77": {}})


@pytest.mark.parametrize("harm", [truncated, emptied, of_another_network, without_a_record, with_other_moments])
def test_a_broken_checkpoint_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Any
) -> None:
    training = killed(tmp_path)
    whole, path = training.run(), training.partials.path(training.work.cell.key)
    harm(path)
    with caplog.at_level(logging.WARNING):
        loop = training.loop(partials=training.partials)
    assert loop.record.step == 0
    assert any(str(path) in r.message and "ignored" in r.message for r in caplog.records)
    expect_same(loop.run(), whole)


def test_the_format_carries_no_code(tmp_path: Path) -> None:
    training = killed(tmp_path)
    with safe_open(training.partials.path(training.work.cell.key), "pt") as file:
        names, facts = set(file.keys()), json.loads(file.metadata()["facts"])
    assert {n.partition("/")[0] for n in names} == {"net", "best", "optimiser"}
    assert facts["record"]["step"] == 8


def test_a_checkpoint_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    training = Training(tmp_path, training={"save_every": 4})
    (tmp_path / "partial").write_text("no folder")
    expect_same(training.run(partials=training.partials), training.run())
    assert "no checkpoint" in caplog.text


def test_what_a_process_left_that_died_after_storing_is_removed(tmp_path: Path) -> None:
    training = killed(tmp_path)
    training.store.write(training.work.cell, training.run())
    training.partials.tidy()
    assert not (tmp_path / "partial").exists()


def test_without_save_every_a_minute_passes_between_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training, saved = Training(tmp_path), list[int]()
    monkeypatch.setattr(Partials, "save", lambda self, key, partial: saved.append(partial.facts["record"]["step"]))
    training.run(partials=training.partials)
    assert saved == []
    monkeypatch.setattr("robustmeta.study.train.MINUTE", -1.0)
    training.run(partials=training.partials)
    assert saved == list(range(1, trainings.STEPS + 1))
