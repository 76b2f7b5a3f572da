"""A study with attacks on the support: from YAML to results, flags and curves."""

import numpy as np
import pytest
from ran import Run
from tiny import SIDE, study

from robustmeta.config.flags import FLAGS
from robustmeta.config.poisoning import poisoned
from robustmeta.report.findings import findings
from robustmeta.report.layout import overview
from robustmeta.shifts.shift import POISON
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.plan import plan
from robustmeta.tracking.curves import accuracies, summary

SHIFTS = [
    {"support_attack": "poisoning", "eps": [0.1, 0.3], "steps": 4, "fraction": 0.5, "episodes": 8, "seed": 2},
    {"support_attack": "support_noise", "eps": [0.1, 0.3], "fraction": 0.5, "episodes": 8, "seed": 2},
    {
        "support_attack": "poisoning",
        "label": "fo",
        "order": "first",
        "eps": [0.3],
        "steps": 2,
        "episodes": 4,
        "seed": 2,
    },
    {"support_attack": "evasion_swap", "eps": [0.3], "steps": 2, "episodes": 4, "seed": 2},
    {"support_attack": "label_flip", "eps": [0.3], "episodes": 3, "seed": 2},
    {"attack": "pgd", "eps": [0.1], "steps": 2, "episodes": 5},
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("store"), shifts=SHIFTS).results


def accuracy(results, learner: str, shift: str) -> np.ndarray:
    rows = results.points
    rows = rows[(rows.metric == "accuracy") & (rows.learner == learner) & (rows["shift"] == shift)]
    return rows.sort_values("step")["mean"].to_numpy()


def test_everything_is_measured(results) -> None:
    assert not results.outcome.failures
    assert results.points["mean"].notna().all()


@pytest.mark.parametrize("learner", ["maml", "protonet", "supervised"])
def test_poisoning_hurts_more_than_noise_of_its_size(results, learner: str) -> None:
    assert accuracy(results, learner, "poisoning")[-1] < accuracy(results, learner, "support_noise")[-1]


def test_flags_say_what_holds(results) -> None:
    flags = results.flags
    assert set(flags[flags["shift"] == "poisoning"]["flag"]) == set(FLAGS)
    status = flags.set_index(["learner", "shift", "step", "flag"])["status"]
    assert status["maml", "poisoning", 300, "adaptation_bypassed"] == "pass"
    assert status["maml", "fo", 300, "adaptation_bypassed"] == "warn"
    assert status["maml", "support_noise", 300, "adaptation_bypassed"] == "not run"
    assert status["maml", "pgd", 100, "adaptation_bypassed"] == "not run"
    assert status["maml", "poisoning", 300, "noise_wins"] == "pass"
    assert set(flags[flags["flag"] == "norm_violation"]["status"]) == {"pass"}


def test_they_are_no_attacks_on_the_query_to_report_and_tracking(results) -> None:
    found = findings(results)
    assert {p.condition for p in found.points if p.shift == "poisoning"} == {POISON}
    heads = [c.label for c in overview(found, "inductive", found.learners).columns]
    assert "support attacked" in heads
    values = {p.key: p.value for p in summary(accuracies(results, "maml"))}
    rows = results.points[results.points.metric == "accuracy"].set_index(["learner", "shift", "step"])["mean"]
    assert values["summary/attacked_acc"] == pytest.approx(rows["maml", "pgd", 100], abs=1e-4)
    assert "summary/poisoned_acc" in values
    assert poisoned(results.study.shifts) == {"poisoning", "support_noise", "fo", "evasion_swap", "label_flip"}


def test_the_plan_states_what_is_spent(results, tmp_path) -> None:
    given = plan(study(shifts=SHIFTS[:1]), Store(tmp_path), Data(study().images))
    rows = {(r.learner, r.step): r for r in given.rows if r.shift == "poisoning"}
    # 8 tasks: 6 clean and start and steps, once measured, once for flags; 6 x 6 seeds, 6 for flags, 9 queries
    adapting = (2 + 1) * 6
    assert rows["maml", 100].passes == 8 * (adapting * (6 + 2) + 6 * 6 + 6 + 9)


def test_a_class_without_seeds_is_named(tmp_path) -> None:
    failures = Run(tmp_path, shifts=[{"support_attack": "support_noise", "eps": 0.1, "seed": 10}]).outcome.failures
    assert len(failures) == 3
    assert all("leaves 9; an attack on its support needs 10 more" in text for text in failures.values())
    assert all("class test-" in text for text in failures.values())


@pytest.mark.slow
def test_what_is_attacked_together_makes_no_difference(results, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustmeta.study.poisoned.TOGETHER_PIXELS", 1)
    monkeypatch.setattr("robustmeta.study.evaluate.CHUNK_PIXELS", 45 * SIDE**2)
    alone = Run(tmp_path, shifts=SHIFTS[:2]).results
    for learner in ("maml", "protonet", "supervised"):
        for shift in ("poisoning", "support_noise"):
            np.testing.assert_array_equal(accuracy(alone, learner, shift), accuracy(results, learner, shift))
