"""Faults planted in the report, each of which must turn a check red."""

from collections.abc import Callable

import pytest
from report import test_dirty_supports as dirty_supports
from report_cases import case
from report_html import check_tables

from robustmeta.report import findings as findings_module
from robustmeta.report import grid, layout, text
from robustmeta.report.findings import Number, findings
from robustmeta.report.headline import verdicts
from robustmeta.store.results import Results
from robustmeta.tracking import curves


def small(half: float = 0.01) -> Results:
    return case(targets=("handwriting",), corruptions={"case_noise": (1, 5)}, half=half)


def lead(results: Results) -> str:
    return verdicts(findings(results))[0].lead


def test_the_check_passes_without_a_fault() -> None:
    assert check_tables(small()) > 0


def test_the_worst_is_marked_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "best", lambda scores, more=True: grid.best(scores, more=not more))
    with pytest.raises(AssertionError):
        check_tables(small())


def test_only_the_highest_mean_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        layout, "best", lambda scores, more=True: frozenset([max(scores, key=lambda n: scores[n].mean)])
    )
    with pytest.raises(AssertionError):
        check_tables(small(half=0.05))


@pytest.mark.parametrize("check", [check_tables, lambda r: _assert_protonet_wins(r)], ids=["tables", "headline"])
def test_the_sign_of_the_gain_is_flipped(monkeypatch: pytest.MonkeyPatch, check) -> None:
    point = findings_module._point

    def flipped(row, across, study):
        negated = {"gain": -row["gain"], "gain_low": -row["gain_high"], "gain_high": -row["gain_low"]}
        return point({**row, **negated}, across, study)

    check(small())
    monkeypatch.setattr(findings_module, "_point", flipped)
    with pytest.raises(AssertionError):
        check(small())


def _assert_protonet_wins(results: Results) -> None:
    assert "protonet beats the supervised baseline" in lead(results)


def test_the_interval_of_the_gain_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    close = case(lambda learner, *_: {"protonet": 0.931, "maml": 0.931}.get(learner, 0.93))
    assert "is shown to beat" in lead(close)
    monkeypatch.setattr(Number, "sign", property(lambda n: 1 if n.mean > 0 else -1))
    assert "is shown to beat" not in lead(close)


def test_learners_are_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = layout._cells
    monkeypatch.setattr(layout, "_cells", lambda *args: cells(*args)[::-1])
    with pytest.raises(AssertionError):
        check_tables(small())


def test_accuracy_is_not_in_per_cent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "style", lambda _: text.PLAIN)
    with pytest.raises(AssertionError):
        check_tables(small())


def test_a_missing_point_is_left_out_of_an_average(monkeypatch: pytest.MonkeyPatch) -> None:
    def accuracy(learner: str, target: str, shift: str, value: float) -> float:
        return float("nan") if value == 5 else 0.9

    found = findings(case(accuracy))
    assert not found.over("maml", "handwriting", "severity").score.there
    honest = findings_module.average
    monkeypatch.setattr(findings_module, "average", lambda parts: honest([p for p in parts if p.score.there]))
    assert found.over("maml", "handwriting", "severity").score.there


def test_a_gain_crosses_from_transductive_to_inductive(monkeypatch: pytest.MonkeyPatch) -> None:
    point = findings_module._point
    assert _gains_of_maml() == [False]
    monkeypatch.setattr(findings_module, "_point", lambda row, across, study: point(row, frozenset(), study))
    assert _gains_of_maml() == [True]


def _gains_of_maml() -> list[bool]:
    found = findings(case(transductive=("maml",), targets=("handwriting",)))
    assert dict(found.kinds()) == {"inductive": ("protonet", "supervised"), "transductive": ("maml",)}
    table = layout.overview(found, "transductive", ("maml",))
    return [bool(row.cells[0].gain) for group in table.groups for row in group.rows]


@pytest.mark.parametrize(
    "check",
    [
        dirty_supports.test_the_headline_has_a_sentence_for_each,
        dirty_supports.test_the_average_over_corruptions_does_not_know_of_dirty_supports,
        dirty_supports.test_tables_have_a_column_and_rows_for_them,
        dirty_supports.test_the_short_form_fits_with_a_column_more,
        dirty_supports.test_mlflow_counts_none_of_them_as_corrupted,
    ],
)
def test_dirty_supports_are_counted_as_corruptions(check: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_module, "dirty", lambda shifts: frozenset())
    monkeypatch.setattr(curves, "dirty", lambda shifts: frozenset())
    with pytest.raises(AssertionError):
        check()


def test_a_corruption_of_the_support_is_called_dirty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_module, "dirty", lambda shifts: [shifts[0].label])
    with pytest.raises(AssertionError):
        dirty_supports.test_a_corruption_of_the_support_is_no_dirty_support()
