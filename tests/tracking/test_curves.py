"""Curves from accuracies."""

import pytest
from results_factory import make_study

from robustmeta.config.shifts import shift_entry
from robustmeta.store.palette import COLOURS, colours
from robustmeta.tracking import curves as module
from robustmeta.tracking.curves import Accuracy, curves, summary

NAN = float("nan")


def accuracy(shift: str, step: int, mean: float, axis: str = "severity") -> Accuracy:
    return Accuracy("one", shift, axis, step, mean, NAN, 1000 + step)


def test_family_means_stand_for_their_members_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        {"corruption": "gaussian_noise", "severity": [1, 3]},
        {"label": "more-noise", "corruption": "gaussian_noise", "severity": [1, 5]},
        {"corruption": "gaussian_noise", "severity": [1], "place": "support"},
        {"corruption": "contrast", "severity": [3]},
    ]
    shifts = tuple(shift_entry({"label": f"s{i}"} | e) for i, e in enumerate(entries))
    study = make_study(targets=("one",)).model_copy(update={"shifts": shifts})
    rows = [accuracy("clean", 0, 0.9, "clean"), accuracy("s0", 1, 0.8), accuracy("s0", 3, 0.7)]
    rows += [accuracy("more-noise", 1, 0.6), accuracy("more-noise", 5, 0.4), accuracy("s2", 1, 0.5)]
    rows += [accuracy("s3", 3, 0.3)]
    assert {p.key for p in curves(rows, study)} == {f"acc/one/{s.label}" for s in shifts}
    monkeypatch.setattr(module, "MAX_CURVES", 3)
    found = {(p.key, p.step): p.value for p in curves(rows, study)}
    family = shifts[3].family
    assert found == {
        ("acc/one/mean-noise", 0): 0.9,
        ("acc/one/mean-noise", 1): pytest.approx(0.7),  # only the step that both have
        ("acc/one/mean-noise-support", 0): 0.9,
        ("acc/one/mean-noise-support", 1): 0.5,
        (f"acc/one/mean-{family}", 0): 0.9,
        (f"acc/one/mean-{family}", 3): 0.3,
    }


def test_without_clean_there_is_no_curve() -> None:
    study = make_study(targets=("one",))
    assert curves([accuracy("clean", 0, NAN, "clean"), accuracy("gaussian_noise", 1, 0.8)], study) == []


def test_a_curve_counts_once_however_many_points_it_has() -> None:
    rows = [accuracy("a", 1, 0.8), accuracy("a", 2, 0.6), accuracy("b", 1, 0.1)]
    values = {p.key: p.value for p in summary(rows)}
    assert values == {"summary/corrupted_acc": 0.4, "summary/worst_acc": 0.1}


def test_nothing_measured_is_no_summary() -> None:
    assert summary([accuracy("a", 1, NAN)]) == []


def test_colours_are_distinct_and_go_by_order() -> None:
    assert len(set(COLOURS)) == len(COLOURS) == 12
    assert colours(["b", "a"]) == {"b": COLOURS[0], "a": COLOURS[1]}
    assert colours(map(str, range(13)))["12"] == COLOURS[0]
