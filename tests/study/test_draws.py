"""A study of support draws: from YAML to results and curves, held against a written-out loop."""

from pathlib import Path
from typing import Any

import drawn
import numpy as np
import pytest
import tiny
from ran import Run, keys

import robustmeta as rm
from robustmeta.config.smoke import smoke
from robustmeta.core import CellError, TaskShape, sample
from robustmeta.report.findings import findings
from robustmeta.report.layout import overview
from robustmeta.report.page import html
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.draws import supports
from robustmeta.study.execute import Silent, Worker, execute
from robustmeta.study.plan import plan
from robustmeta.tracking.curves import accuracies, curves, summary

pytestmark = pytest.mark.usefixtures("fresh_plugins")
ENTRY = {"label": "draws", "support_draws": [3, 6], "episodes": 5}
TWO = {"label": "two", "support_draws": 6, "worst": 2, "episodes": 5}
POISON = {"support_attack": "support_noise", "eps": 0.1, "seed": 1, "episodes": 2}
LEARNERS = ("maml", "protonet", "supervised")


def made(root: Path, *shifts: dict[str, Any]) -> Run:
    return Run(root, shifts=list(shifts)).whole()


def right(run: Run, learner: str, shift: str, step: int) -> np.ndarray:
    """Right queries of each of 5 tasks, of every kept draw."""
    frame = run.queries(learner, shift, step)
    return (frame["predicted"] == frame["label"]).to_numpy().reshape(5, -1, 9).sum(-1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("store"), ENTRY, TWO, POISON)


@pytest.mark.parametrize("learner", LEARNERS)
def test_what_is_kept_is_that_of_a_written_out_loop(run: Run, learner: str) -> None:
    bench = Worker(run.study, run.store, run.data, Silent())._bench(run.work(learner, "draws", 6))
    written = drawn.rights(bench, 6, 5)
    np.testing.assert_array_equal(right(run, learner, "draws", 3)[:, 0], written[:3].min(0))
    np.testing.assert_array_equal(right(run, learner, "draws", 6)[:, 0], written.min(0))
    np.testing.assert_array_equal(right(run, learner, "two", 6).T, np.sort(written, 0)[:2])
    points = run.results.points.set_index(["metric", "learner", "shift", "step"])["mean"]
    assert points["accuracy", learner, "draws", 6] == pytest.approx(written.min(0).mean() / 9)
    assert points["accuracy", learner, "two", 6] == pytest.approx(np.sort(written, 0)[:2].mean() / 9)


def test_more_draws_are_never_better_and_one_is_worse_than_clean(run: Run) -> None:
    for learner in LEARNERS:
        clean = run.queries(learner, "clean", 0)
        own = (clean["predicted"] == clean["label"]).to_numpy().reshape(-1, 9)[:5].sum(1)
        three, six = right(run, learner, "draws", 3), right(run, learner, "draws", 6)
        assert np.all(three[:, 0] <= own)
        assert np.all(six <= three)
        assert np.all(right(run, learner, "two", 6)[:, 1] >= six[:, 0])
    assert sum(right(run, learner, "draws", 6).sum() for learner in LEARNERS) < sum(
        right(run, learner, "draws", 3).sum() for learner in LEARNERS
    )


def test_work_is_planned_as_it_is_done(run: Run) -> None:
    assert run.progress.total == run.progress.seen
    # 5 tasks: 5 draws beside their own, of 6 images in 2 steps and at the start, and 9 queries a draw
    assert run.work("protonet", "draws", 6).passes == 5 * (5 * 6 + 6 * 9)
    assert run.work("maml", "draws", 3).passes == 5 * (
        2 * run.work("maml", "draws", 3).learner.adapt.passes(TaskShape(3, 2, 3), 1) + 3 * 9
    )


@pytest.mark.slow
def test_what_is_worked_on_together_makes_no_difference(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robustmeta.study.evaluate.CHUNK_PIXELS", 60 * tiny.SIDE**2)
    alone = made(tmp_path, ENTRY, TWO)
    assert alone.progress.total == alone.progress.seen
    for learner in LEARNERS:
        for place in (("draws", 3), ("draws", 6), ("two", 6)):
            np.testing.assert_array_equal(right(alone, learner, *place), right(run, learner, *place))


def test_draws_hold_what_they_must() -> None:
    domain = tiny.Toy(split="test").load(16, 1)
    drawn.hold_disjoint(domain, sample(domain, TaskShape(3, 2, 3), 0, 0, 6))
    drawn.hold_worst()


def test_a_class_without_other_images_is_named(tmp_path: Path) -> None:
    domain = tiny.Toy(split="test").load(16, 1)
    with pytest.raises(
        CellError, match=r"class test-\d+ of toy has 14 images, of which the queries of a task leave 2; .*3"
    ):
        supports(domain, sample(domain, TaskShape(3, 2, 12), 0, 0, 1), 3, 0)
    tasks = {"way": 3, "shot": 2, "query": 12, "episodes": 2}
    study = tiny.study(shifts=[ENTRY], evaluation=tasks, learners=[], budget={"images": 64})
    store, data = Store(tmp_path), Data(study.images)
    failures = execute(plan(study, store, data), store, data, Silent()).failures
    assert len(failures) == 2
    assert all("lower shot or query" in text for text in failures.values())


def test_other_cells_keep_their_keys(tmp_path: Path) -> None:
    noise = {"corruption": "gaussian_noise", "severity": [1]}
    alone, with_it = keys(tmp_path, shifts=[noise]), keys(tmp_path, shifts=[noise, ENTRY])
    assert {k: v for k, v in with_it.items() if k[1] != "draws"} == alone
    for change in ({"worst": 2}, {"episodes": 4}):
        other = keys(tmp_path, shifts=[noise, ENTRY | change])
        assert {k for k in with_it if with_it[k] != other[k]} == {(n, "draws", s) for n in LEARNERS for s in (3, 6)}


def test_the_report_and_mlflow_show_it_apart(run: Run) -> None:
    found = findings(run.results)
    assert {p.condition for p in found.points if p.shift in ("draws", "two")} == {"draws"}
    assert {p.strength for p in found.points if p.shift == "draws"} == {3, 6}
    heads = [c.label for c in overview(found, "inductive", found.learners).columns]
    assert {"worst support draw", "support attacked"} <= set(heads)
    page = html(run.results)
    assert "draws 3, in the support" in page
    assert "the mean of the worst 2 draws" in page
    assert "Accuracy in % on new under draws at draws 0 (clean), 3, 6" in page
    rows = accuracies(run.results, "maml")
    means = run.results.points.query("metric == 'accuracy' and learner == 'maml'").set_index(["shift", "step"])["mean"]
    values = {p.key: p.value for p in summary(rows)}
    drawn_acc = np.mean([np.mean([means["draws", 3], means["draws", 6]]), means["two", 6]])
    assert values["summary/drawn_acc"] == pytest.approx(drawn_acc, abs=1e-4)
    assert values["summary/poisoned_acc"] == pytest.approx(means["support_noise", 100], abs=1e-4)
    assert "summary/attacked_acc" not in values
    assert "summary/corrupted_acc" not in values
    drawn_points = [(p.step, p.value) for p in curves(rows, run.study) if p.key == "acc/new/draws"]
    assert drawn_points == [(0, means["clean", 0]), (3, means["draws", 3]), (6, means["draws", 6])]


@pytest.mark.slow
def test_smoke_draws_little_and_runs(tmp_path: Path) -> None:
    entries = [{"support_draws": [2, 5, 10], "worst": 2}, {"support_draws": 40, "worst": 9, "label": "b"}]
    small = smoke(tiny.study(shifts=entries, learners=[]))
    kept = [(*e.points(28, 8), e.some(8)) for e in small.shifts]
    assert [[(p.value, p.worst) for p in points] + [some] for *points, some in kept] == [
        [(2, 2), (3, 2), 2],
        [(3, 3), 2],
    ]
    results = rm.run(small, tmp_path).results
    assert not results.outcome.failures
    assert np.isfinite(results.points["mean"]).all()
    assert results.points["draws"].dropna().unique().tolist() == [2, 3]
