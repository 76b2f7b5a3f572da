"""Several processes train to the same numbers as one, or say why they cannot."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import learners
import pytest
import tiny
import torch
import yaml
from torch import Tensor
from trainings import LEARNERS, SHAPE, Training

from robustmeta.config.components import Method
from robustmeta.core import CellError, StepStats
from robustmeta.registry import builtin, resolve
from robustmeta.rng import Rng
from robustmeta.store.cells import Content, Store
from robustmeta.study.distributed import SOLO, Crew, Team, alone, expect_apart

pytestmark = pytest.mark.usefixtures("fresh_plugins")
TESTS = Path(__file__).resolve().parents[1]


def together(size: int, work: Callable[[Team], Any]) -> list[Any]:
    """What each of so many threads makes of its place in a team, whose sums are made in this process."""
    barrier, given, out = threading.Barrier(size, timeout=60), [Tensor()] * size, [None] * size

    def run(rank: int) -> None:
        def total(tensor: Tensor) -> None:
            given[rank] = tensor.clone()
            barrier.wait()
            whole = torch.stack(given).sum(0)
            barrier.wait()
            tensor.copy_(whole)

        try:
            out[rank] = work(Team(rank, size, total))
        except Exception as error:
            out[rank] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


def part(meal: Any, rows: slice) -> Any:
    return type(meal)(meal.support_x[rows], meal.support_y[rows], meal.query_x[rows], meal.query_y[rows], meal.way)


NORMS = {"always": ("auto", "per_step", "group", "none"), "without batch statistics": ("group", "none"), "never": ()}
SHARED = [
    (name, norm)
    for name in sorted(builtin("methods"))
    for norm in NORMS[resolve("methods", name).apart]  # type: ignore[attr-defined]
    if name != "relation"  # its head normalises whatever its body does
]


def with_tasks(name: str, count: int = 4) -> Method:
    """A small method with so many tasks a step."""
    method = learners.small(name)
    train = {**SHAPE, "query": method.diet().query, "tasks": count}
    return method.model_validate({**dict(method), "train": train})


FOE = {"eps": 0.1, "steps": 2}
FOUGHT = [("maml", "auto", {**FOE, "place": "both"}), ("anil", "auto", FOE), ("protonet", "group", FOE)]


@pytest.mark.parametrize(("name", "norm", "adversary"), [(n, m, None) for n, m in SHARED] + FOUGHT)
def test_a_step_of_every_method_that_can_be_shared(name: str, norm: str, adversary: Any) -> None:
    """Gradient, loss, passes and running averages are those of one process; 3 processes share 4 tasks, in float64."""
    method, size = with_tasks(name), 3
    if adversary:
        method = method.model_validate({**dict(method), "adversary": adversary})
    assert not alone(method)
    expect_apart(method, learners.build(method, norm))
    meal = learners.made_tasks(4, 3, 2, method.diet().query, torch.float64)

    def step(team: Team) -> tuple[Any, StepStats]:
        net = nets[team.rank]
        stats = team.backward(net, method.diet(), lambda s: method.backward(net, part(meal, s), Rng(0, (), [0]), 0.3))
        return net, stats

    nets = [learners.build(method, norm).double() for _ in range(size + 1)]
    whole = nets.pop()
    expected = method.backward(whole, meal, Rng(0, (), [0]), 0.3)
    for found in together(size, step):
        assert not isinstance(found, Exception), found
        net, stats = found
        assert stats.loss == pytest.approx(expected.loss, abs=1e-9)
        assert (stats.passes, stats.gradient_passes) == (expected.passes, expected.gradient_passes)
        for p, q in zip(net.parameters(), whole.parameters(), strict=True):
            torch.testing.assert_close(p.grad, torch.zeros_like(q) if q.grad is None else q.grad, atol=1e-9, rtol=1e-9)
        for b, c in zip(net.buffers(), whole.buffers(), strict=True):
            torch.testing.assert_close(b, c, atol=1e-9, rtol=1e-9)


def test_what_cannot_be_shared() -> None:
    assert {name for name, _ in SHARED} >= {"maml", "anil", "protonet"}
    assert not {name for name, _ in SHARED} & {"reptile", "supervised"}
    assert ("protonet", "auto") not in SHARED
    assert alone(with_tasks("maml", 1))
    assert alone(learners.small("supervised"))


def test_the_refusal_says_what_to_do() -> None:
    methods = {n: learners.small(n) for n in ("protonet", "relation", "reptile")}
    with pytest.raises(CellError, match="share their batch statistics; train it without torchrun, or with norm: group"):
        expect_apart(methods["protonet"], learners.build(methods["protonet"]))
    with pytest.raises(CellError, match=r"share their batch statistics; train it without torchrun$"):
        expect_apart(methods["relation"], learners.build(methods["relation"]))
    with pytest.raises(CellError, match="reptile cannot be trained by several processes: its tasks depend on each"):
        expect_apart(methods["reptile"], learners.build(methods["reptile"]))


def test_a_failure_of_one_is_heard_by_all() -> None:
    method = learners.small("maml")
    nets = [learners.build(method) for _ in range(2)]

    def step(team: Team) -> StepStats:
        def run(tasks: slice) -> StepStats:
            if team.rank:
                raise MemoryError("full")
            return method.backward(nets[0], part(learners.made_tasks(2), tasks), Rng(0, (), [0]))

        return team.backward(nets[team.rank], method.diet(), run)

    first, second = together(2, step)
    assert isinstance(first, CellError)
    assert "another process failed" in str(first)
    assert isinstance(second, MemoryError)


def test_what_process_0_measures_is_everyones() -> None:
    assert together(3, lambda team: team.measured(lambda: 0.25 + team.rank)) == [0.25] * 3
    zero, one = together(2, lambda team: team.measured(lambda: 1 / 0))
    assert isinstance(zero, ZeroDivisionError)
    assert isinstance(one, CellError)


def test_processes_agree_only_on_one_step() -> None:
    assert together(3, lambda team: team.agree(7)) == [True] * 3
    assert together(3, lambda team: team.agree(7 if team.rank else 0)) == [False] * 3
    assert SOLO.agree(3)


def test_the_others_come_when_they_are_called() -> None:
    def work(team: Team) -> list[str]:
        crew = Crew(team, ["a", "b", "c"])
        if team.rank:
            return list(crew.called())
        crew.call("c")
        crew.call("a")
        crew.dismiss()
        crew.dismiss()
        return []

    assert together(2, work) == [[], ["c", "a"]]


@pytest.mark.parametrize("augment", [[], ["RandomHorizontalFlip"]])
def test_a_whole_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, augment: list[str]) -> None:
    """In float32: within 1e-6 in every weight after 8 steps of plain descent."""
    from robustmeta.methods.maml import Maml
    from robustmeta.study import train

    build, lock = train.build, threading.Lock()

    def one_at_a_time(*args: Any) -> Any:  # it draws from torch's generator, which threads share
        with lock:
            return build(*args)

    monkeypatch.setattr(train, "build", one_at_a_time)
    monkeypatch.setattr(Maml, "optimiser", lambda self, net: torch.optim.SGD(net.parameters(), lr=0.05))
    training = Training(tmp_path, "maml", budget={"steps": 8}, training={"augment": augment})
    if augment:  # the generator is shared by threads, not by processes
        monkeypatch.setattr(train, "batch", locked(train.batch, lock))
    whole = training.run()
    for content in together(2, lambda team: training.run(team=team)):
        assert isinstance(content, Content), content
        assert content.protocol["selected_step"] == whole.protocol["selected_step"]
        for k, v in whole.tensors["model"].items():
            torch.testing.assert_close(content.tensors["model"][k], v, atol=1e-6, rtol=0)


def locked(call: Callable[..., Any], lock: threading.Lock) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        with lock:
            return call(*args)

    return run


def launched(folder: Path, study: dict[str, Any], processes: int) -> "subprocess.CompletedProcess[str]":
    """A study as a user runs it on several processes."""
    folder.mkdir()
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    torchrun = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    command = ["-m", "robustmeta", "run", "study.yaml", "--plugin", str(TESTS / "tiny.py"), "--json"]
    return subprocess.run(
        [sys.executable, *torchrun, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.slow
def test_torchrun(tmp_path: Path) -> None:
    """A learner that is shared, one that process 0 trains alone, and one that is refused, which costs no other."""
    study = tiny.document(
        learners=[LEARNERS["maml"], LEARNERS["reptile"]], shifts=[], budget={"steps": 6}, training={"save_every": 2}
    )
    one, two = launched(tmp_path / "one", study, 1), launched(tmp_path / "two", study, 2)
    assert one.returncode == 0, one.stderr
    assert "reptile cannot be trained by several processes" in two.stderr
    assert "process 0 trains it alone" in two.stderr
    report = two.stdout[two.stdout.index("{") :]
    assert json.loads(report)["cells"]["failed"] == 3
    stores = [Store(tmp_path / name / "mlruns" / "store") for name in ("one", "two")]
    keys = {p.name for p in stores[1].folder.iterdir()}
    assert len(keys) == 6
    trained = [k for k in keys if stores[1].head(k)["kind"] == "train"]
    assert len(trained) == 2
    for key in trained:
        a, b = (store.tensors(key, "model") for store in stores)
        for name, value in a.items():
            torch.testing.assert_close(b[name], value, atol=1e-6, rtol=0)
