"""Attacks made through another learner of the study, held against plain computations."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from ran import Run, keys

from robustmeta.adaptations.gradient import Gradient
from robustmeta.attacks.pgd import PGD
from robustmeta.core import StudyError, to_float
from robustmeta.report.findings import findings
from robustmeta.report.page import html
from robustmeta.rng import Rng, combine
from robustmeta.study import evaluate as module
from robustmeta.study.execute import Silent, Worker
from robustmeta.study.honesty import Inspection
from robustmeta.study.trials import evaluation_shape
from robustmeta.tracking.curves import accuracies, summary

pytestmark = pytest.mark.usefixtures("fresh_plugins")
PLAIN = {"attack": "pgd", "eps": [0.1, 0.3], "steps": 3, "episodes": 4}
THROUGH = PLAIN | {"through": "maml", "label": "transfer"}
GRADIENTS = ("zero_grad", "onestep_beats_iter", "not_converged", "unbounded_fails", "noise_wins", "silent_success")


def made(root: Path, **changes: Any) -> Run:
    return Run(root, **{"shifts": [PLAIN, THROUGH]} | changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("store")).whole()


def hold_records(run: Run) -> None:
    """The queries are perturbed through maml's classifier and shown to protonet's."""
    worker = Worker(run.study, run.store, run.data, Silent())
    other, seen = (worker._bench(run.work(name, "transfer", 300)) for name in ("maml", "protonet"))
    e, x = seen.episodes[:4], to_float(seen.domain.images)
    rng = Rng(0, ("attack", "pgd"), combine(e.number[:, None], seen.domain.ids[e.query.numpy()]))
    source, own = (
        b.adaptation.adapt(b.net, x[e.support], e.support_y, e.way, Rng(0, ("adapt",), e.number)) for b in (other, seen)
    )
    perturbed = PGD(steps=3).perturb(source, x[e.query], e.query_y, 0.3, rng)
    with torch.no_grad():
        predicted = own(perturbed).argmax(-1).flatten()
    frame = run.queries("protonet", "transfer", 300)
    np.testing.assert_array_equal(frame["predicted"], predicted, "another classifier or other draws")
    white = run.queries("protonet", "pgd", 300)
    assert (white["predicted"] == white["label"]).sum() < (frame["predicted"] == frame["label"]).sum()


def test_records_are_a_plain_computation(run: Run) -> None:
    hold_records(run)


class Other(Gradient):
    """Adapts to the labels of another support."""

    def adapt(self, net: Any, support_x: Any, support_y: Any, way: int, rng: Rng) -> Any:
        return super().adapt(net, support_x, support_y.roll(1, 0), way, rng)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["the learner that is measured", "another support"])
def test_a_transfer_that_is_none(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attack, tuned = Inspection.run, Worker._tuned

    def white(self: Inspection, classifier: Any, x: Any, y: Any, rng: Any, source: Any) -> Any:
        return attack(self, classifier, x, y, rng, None if source is None else classifier)

    def elsewhere(self: Worker, learner: Any, key: str) -> Any:
        found = tuned(self, learner, key)
        return module.Source(found.net, Other.model_validate(dict(found.adaptation)))

    with monkeypatch.context() as patch:
        if fault == "another support":
            patch.setattr(Worker, "_tuned", elsewhere)
        else:
            patch.setattr(Inspection, "run", white)
        wrong = made(tmp_path).whole()
    with pytest.raises(AssertionError, match="another classifier or other draws"):
        hold_records(wrong)


def test_work_is_planned_as_it_is_done(run: Run) -> None:
    assert run.progress.total == run.progress.seen
    shape = evaluation_shape(run.study, run.study.targets[0])
    adapting = run.work("maml", "clean", 0).learner.adapt.passes(shape, 12)
    more = run.work("protonet", "transfer", 100).passes - run.work("protonet", "transfer", 300).passes
    assert more == adapting > 0  # the chunk of all tasks, once for both eps


def test_on_the_learner_itself_it_is_the_plain_attack(run: Run) -> None:
    assert run.outcome.computed == run.outcome.planned == 3 + 3 + 3 * 5 - 2
    for step in (100, 300):
        assert run.work("maml", "transfer", step).cell.key == run.work("maml", "pgd", step).cell.key
        keys = {run.work(n, s, step).cell.key for n in ("protonet", "supervised") for s in ("transfer", "pgd")}
        assert len(keys) == 4
    points = run.results.points.query("metric == 'accuracy' and step == 300")
    notes = points[points["shift"] == "transfer"].set_index("learner")["notes"]
    assert notes["maml"] == "made through maml itself, so it is no transfer here"
    assert notes["supervised"] == "transfer: made through maml, adapted to the same supports"
    assert set(points[points["shift"] == "pgd"]["notes"]) == {""}
    assert "transfer: made through maml" in html(run.results)


def test_it_enters_no_mean_over_attacks(run: Run) -> None:
    """It is the full attack on one learner and a weaker one on the others."""
    conditions = {p.shift: p.condition for p in findings(run.results).points}
    assert conditions == {"clean": "clean", "pgd": "eps", "transfer": "transfer", "ensemble-minimum-linf": "ensemble"}
    values = {p.key: p.value for p in summary(accuracies(run.results, "protonet"))}
    white = run.results.points.query("metric == 'accuracy' and learner == 'protonet' and shift == 'pgd'")
    assert values["summary/attacked_acc"] == pytest.approx(white["mean"].mean(), abs=1e-4)
    assert "attacks made through one of the learners" in html(run.results)


def test_flags_on_gradients_do_not_run_and_the_transfer_is_a_rival(run: Run) -> None:
    rows = run.results.flags.query("step == 300").set_index(["learner", "shift", "flag"])
    for flag in GRADIENTS:
        row = rows.loc[("protonet", "transfer", flag)]
        assert row["status"] == "not run"
        assert row["text"] == "the attack is made through another learner than the one that is measured"
        assert rows.loc[("maml", "transfer", flag), "text"] == rows.loc[("maml", "pgd", flag), "text"]
    assert rows.loc[("protonet", "transfer", "norm_violation"), "status"] == "pass"
    assert rows.loc[("protonet", "transfer", "dynamic"), "status"] == "pass"
    assert rows.loc[("protonet", "transfer", "blackbox_wins"), "status"] == "not run"
    assert "by transfer, first 4 tasks" in rows.loc[("protonet", "pgd", "blackbox_wins"), "text"]
    assert "no square or transfer attack" in rows.loc[("maml", "pgd", "blackbox_wins"), "text"]


@pytest.mark.slow
def test_the_source_adapts_once_to_each_chunk_that_is_attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks of 5 tasks; a cell is the same beside others as alone."""
    monkeypatch.setattr(module, "CHUNK_PIXELS", 5 * 15 * tiny.SIDE**2)
    more = THROUGH | {"label": "more", "episodes": 7, "eps": [0.3]}
    made(tmp_path, shifts=[])
    adapted, adapt = [], Gradient.adapt

    def counting(self: Any, *args: Any) -> Any:
        adapted.append(len(args[1]))
        return adapt(self, *args)

    monkeypatch.setattr(Gradient, "adapt", counting)
    both = made(tmp_path, shifts=[THROUGH, more], flag_episodes=0)
    assert adapted == [5, 5, 2] + 2 * [5, 5]  # maml itself, then for protonet and for supervised
    alone = made(tmp_path / "alone", shifts=[more, THROUGH | {"episodes": 9}], flag_episodes=0)
    assert alone.progress.total == alone.progress.seen
    key = both.work("protonet", "more", 300).cell.key
    assert key == alone.work("protonet", "more", 300).cell.key
    assert both.store.table(key, "queries").equals(alone.store.table(key, "queries"))


def test_a_change_of_the_source_reaches_what_is_made_through_it(tmp_path: Path) -> None:
    shifts = [PLAIN, THROUGH]
    before = keys(tmp_path, shifts=shifts)
    learners = tiny.document()["learners"]
    learners[0]["adapt"]["steps"] = 3
    after = keys(tmp_path, shifts=shifts, learners=learners)
    changed = {k for k in before if before[k] != after[k] and k[0] != "maml"}
    assert changed == {(n, "transfer", s) for n in ("protonet", "supervised") for s in (100, 300)}


def test_without_its_source_a_transfer_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = Worker._train

    def failing(self: Any, unit: Any) -> Any:
        if unit.work[0].learner.label == "maml":
            raise StudyError("planted")
        return train(self, unit)

    monkeypatch.setattr(Worker, "_train", failing)
    failures = made(tmp_path).outcome.failures
    others = {name for name in failures if " maml " not in name}
    assert others == {f"evaluate {n} seed 0 new transfer {e}" for n in ("protonet", "supervised") for e in (0.1, 0.3)}
    assert {failures[name] for name in others} == {"what it builds on failed"}


def test_a_source_must_serve_the_tasks(tmp_path: Path) -> None:
    targets = [*tiny.document()["targets"], {"label": "more", "name": "toy", "split": "test", "way": 4}]
    with pytest.raises(
        StudyError, match="transfer goes through maml, which serves tasks of 3 classes only; those of more"
    ):
        keys(tmp_path, shifts=[THROUGH], targets=targets)
