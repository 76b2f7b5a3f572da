"""The worst of several attacks, and an attack over its number of steps, through results, MLflow and report."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ran import Run

from robustmeta.report.findings import findings
from robustmeta.report.page import html
from robustmeta.study import ensemble as module
from robustmeta.study.ensemble import minimum
from robustmeta.study.execute import Worker
from robustmeta.study.gather import gather
from robustmeta.tracking.curves import accuracies, curves, step_curves, summary

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_plugins")]
LINF = "ensemble-minimum-linf"
SHIFTS: list[dict[str, Any]] = [
    {"attack": "pgd", "eps": [0.05, 0.2], "steps": [1, 3], "episodes": 6},
    {"attack": "square", "queries": 10, "eps": [0.05], "episodes": 4},
    {"attack": "noise", "eps": [0.05], "draws": 3},
    {"attack": "pgd", "norm": "l2", "label": "l2", "eps": [0.05], "steps": 1, "episodes": 4},
]


def made(root: Path, **changes: Any) -> Run:
    return Run(root, **{"shifts": SHIFTS, "flag_episodes": 0, "seeds": [0, 1]} | changes)


def right(run: Run, learner: str, seed: int, shift: str) -> np.ndarray:
    """Whether each query of the first 4 tasks is right, at eps 0.05."""
    frame = run.queries(learner, shift, 50, seed)
    return (frame["predicted"] == frame["label"]).to_numpy()[: 9 * 4]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("store")).whole()


def hold_minimum(run: Run) -> None:
    """A query counts as right only if it is right under all attacks of its norm and eps."""
    rows = run.results.points[run.results.points["shift"] == LINF]
    assert set(rows["metric"]) == {"accuracy"}
    assert set(rows["step"]) == {50}  # one attack alone has eps 0.2
    for learner in ("maml", "protonet", "supervised"):
        every = [[right(run, learner, s, n) for n in ("pgd.steps-3", "square", "noise")] for s in (0, 1)]
        expected = np.mean([np.logical_and.reduce(one).mean() for one in every])
        (row,) = rows[rows["learner"] == learner].to_dict("records")
        assert row["mean"] == pytest.approx(expected), "another worst case"
        assert row["mean"] < min(np.mean([one[i].mean() for one in every]) for i in range(3)) + 1e-9
        assert (row["n_episodes"], row["n_seeds"], row["axis"], row["eps"]) == (4, 2, "eps", 0.05)
        assert row["notes"] == "worst case of each query under pgd.steps-3, square, noise"


def test_the_worst_case_of_each_query(run: Run) -> None:
    hold_minimum(run)
    base = run.results.points.query(f"shift == '{LINF}'").set_index("learner")
    assert base.loc["maml", "gain"] == pytest.approx(base.loc["maml", "mean"] - base.loc["supervised", "mean"])
    seeds = run.results.seeds.query(f"shift == '{LINF}' and learner == 'maml'")["mean"]
    assert seeds.mean() == pytest.approx(base.loc["maml", "mean"])


def test_the_best_case_is_another(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "minimum", lambda right, coupled: np.stack(right).any(0).mean(1))
    other = Run.__new__(Run)
    vars(other).update(vars(run), results=gather(run.plan, run.store, run.outcome))
    with pytest.raises(AssertionError, match="another worst case"):
        hold_minimum(other)


def test_coupled_queries_count_as_sets() -> None:
    first = np.array([[True, True, False, False], [True, True, True, True]])
    second = np.array([[False, False, True, False], [True, False, False, True]])
    assert minimum([first, second], coupled=False).tolist() == [0, 0.5]
    assert minimum([first, second], coupled=True).tolist() == [0.25, 0.5]


def test_a_curve_over_steps(run: Run) -> None:
    rows = accuracies(run.results, "maml")
    found = {(p.key, p.step): p.value for p in step_curves(rows, run.study)}
    points = run.results.points.query("metric == 'accuracy' and learner == 'maml'").set_index(["shift", "step"])["mean"]
    assert found == {
        **{(f"steps/new/pgd-eps-{e}", 0): points["clean", 0] for e in (0.05, 0.2)},
        **{(f"steps/new/pgd-eps-{e}", k): points[f"pgd.steps-{k}", 1000 * e] for e in (0.05, 0.2) for k in (1, 3)},
    }
    assert f"acc/new/{LINF}" in {p.key for p in curves(rows, run.study)}
    values = {p.key: p.value for p in summary(rows)}
    strong = [points["square", 50], points["noise", 50], points["l2", 50]]
    strong.append((points["pgd.steps-3", 50] + points["pgd.steps-3", 200]) / 2)
    assert values["summary/attacked_acc"] == pytest.approx(np.mean(strong), abs=1e-4)  # without fewer steps, and once


def test_the_report_draws_both_and_averages_neither(run: Run) -> None:
    page = html(run.results)
    assert "pgd eps 0.05, by steps" in page
    assert "Accuracy in % on new under pgd eps 0.2, by steps at steps 0 (clean), 1, 3. maml: " in page
    assert f">{LINF}</figcaption>" in page
    assert ">under all attacks" in page
    assert "attacks of fewer steps" in page
    assert ">pgd.steps-1</figcaption>" not in page
    found = findings(run.results)
    attacked = {p.shift for p in found.points if p.condition == "eps"}
    assert attacked == {"pgd.steps-3", "square", "noise", "l2"}
    assert {p.shift for p in found.points if p.condition == "ensemble"} == {LINF}


def test_one_attack_is_no_ensemble(tmp_path: Path) -> None:
    other = made(tmp_path, shifts=SHIFTS[:1] + SHIFTS[3:], learners=[], seeds=[0])
    assert not other.results.points["shift"].str.startswith("ensemble").any()
    assert "under all attacks" not in html(other.results)


def test_without_one_of_its_attacks_there_is_no_worst_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Worker._point

    def failing(self: Any, work: Any, bench: Any) -> Any:
        from robustmeta.core import CellError

        if work.shift.label == "square":
            raise CellError("planted")
        return original(self, work, bench)

    monkeypatch.setattr(Worker, "_point", failing)
    other = made(tmp_path, shifts=SHIFTS[:2], learners=[], seeds=[0])
    assert len(other.outcome.failures) == 1
    assert other.results.points.query(f"shift == '{LINF}'")["mean"].isna().all()
    assert len(other.results.points.query(f"shift == '{LINF}'")) == 1
    assert "ensemble-minimum-linf" in html(other.results)
