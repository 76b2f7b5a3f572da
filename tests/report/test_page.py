import dataclasses
import math
import re
from pathlib import Path

import pandas as pd
import pytest
from report_cases import TARGETS, case, gentle
from report_html import Reader, check_tables, numbers
from results_factory import make_results

from robustmeta.report import images
from robustmeta.report.page import html, write

NASTY = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def plain() -> str:
    """The page of the plain case."""
    return html(case())


def lost(learner: str, target: str, shift: str, value: float) -> float:
    """Like ``gentle``, but maml failed on handwriting, and everywhere at the strongest noise."""
    failed = learner == "maml" and (target == "handwriting" or (shift == "case_noise" and value == 5))
    return math.nan if failed else gentle(learner, target, shift, value)


@pytest.mark.parametrize(
    "results",
    [make_results(), case(), case(lost), case(transductive=("maml",)), case(baselines=()), case(seeds=(0, 1, 2))],
    ids=["factory", "plain", "failed", "transductive", "no-baseline", "seeds"],
)
def test_every_point_stands_in_the_page_as_it_stands_in_the_records(results) -> None:
    shown = results.points
    across = dataclasses.replace(results, points=shown.assign(gain=shown["gain"].mask(_crosses(shown))))
    points = len(shown)
    clean = shown[shown["metric"].eq("accuracy") & shown["shift"].eq("clean")]
    attacks = shown[shown["metric"].eq("accuracy") & shown["axis"].eq("eps")]
    assert check_tables(across) == points + len(clean) + len(attacks)  # these stand in the short tables too


def _crosses(points: pd.DataFrame) -> pd.Series:
    kinds = points.groupby("learner")["transductive"].any()
    return points["learner"].map(kinds).ne(points["baseline"].map(kinds)) & points["baseline"].ne("")


def test_the_overview_averages_shifts_not_points() -> None:
    def accuracy(learner: str, target: str, shift: str, value: float) -> float:
        return {"clean": 0.9, "case_noise": 0.8, "case_blur": 0.4}.get(shift, 0.3)

    results = case(accuracy, corruptions={"case_noise": (1, 2, 3, 4), "case_blur": (3,)})
    table = Reader(html(results)).tables[0]
    assert table.heads == ["learner", "clean", "corrupted", "attacked", "worst"]
    row = next(cells for label, cells in table.rows if label.startswith("maml"))
    assert [numbers(c.text)[0] for c in row] == [90.0, 60.0, 30.0, 30.0]
    assert row[3].text.endswith("case_attack eps 0.05")


def test_an_average_over_a_failed_point_is_failed() -> None:
    table = Reader(html(case(lost))).tables[0]
    row = next(cells for label, cells in table.rows if label.startswith("maml"))
    assert [c.text[:6] for c in row] == ["90.0 [", "failed", "60.8 [", "failed"]


def test_learners_of_two_kinds_never_stand_in_one_table() -> None:
    text = html(case(transductive=("maml",)))
    for table in Reader(text).tables:
        names = {h.split()[0] for h in table.heads[1:]} | {label.split()[0] for label, _ in table.rows if label.strip()}
        both = {"maml", "protonet"} <= names
        assert not both or not ("inductive" in table.caption or "transductive" in table.caption), table.caption
    assert "Not compared, as only one of the two is transductive: maml" in text


def test_same_results_same_bytes(plain: str, tmp_path: Path) -> None:
    write(case(), tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == plain.encode()


@pytest.mark.parametrize("results", [None, make_results()], ids=["case", "factory"])
def test_the_page_needs_nothing_else(plain: str, results) -> None:
    text = html(results) if results else plain
    ids = [attrs["id"] for _, attrs in Reader(text).tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in Reader(text).tags:
        assert tag not in ("script", "link", "iframe", "object", "base"), tag
        for key in ("src", "href", "xlink:href", "action", "data", "srcset"):
            value = attrs.get(key)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), (tag, key, value)
            assert value is None or not value.startswith("#") or value[1:] in ids, value
        assert not [k for k in attrs if k.startswith("on")]
        assert "target" not in attrs
    assert not re.search(r"https?://|@import|url\((?!#)|localStorage|fetch\(", text)


def test_text_from_outside_is_inert() -> None:
    clean = case(learners=("protonet",))
    points = clean.points.assign(notes=NASTY)
    versions, protocol = {NASTY: NASTY}, {NASTY: NASTY}
    tuning = clean.tuning.assign(choice=NASTY)
    outcome = dataclasses.replace(clean.outcome, failures={f"train {NASTY}": NASTY})
    examples = {(NASTY, NASTY, 0): next(iter(clean.examples.values()))}
    changes = {"points": points, "versions": versions, "protocol": protocol, "tuning": tuning}
    text = html(dataclasses.replace(clean, **changes, outcome=outcome, examples=examples))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_failures_are_named_with_their_reason() -> None:
    text = html(case(lost, failures={"evaluate maml seed 0 handwriting clean": "loss became NaN at step 3"}))
    assert "1 of 40 cells have no result" in text
    assert "<b>evaluate maml seed 0 handwriting clean</b>: loss became NaN at step 3" in text
    assert "failed: maml at 0 (clean), 1, 3 and 5" in text


def test_notes_stand_at_their_numbers(plain: str) -> None:
    marked = re.search(r'mean over severity 1, 3, 5</small><sup><a href="#(part-1-short-1-note-\d)">', plain)
    assert marked
    assert f'<li id="{marked[1]}">levels ink-28: ours, not a published table</li>' in plain
    assert "on the first 20 of 600 tasks" in plain


def test_a_number_over_fewer_seeds_says_so() -> None:
    results = case(seeds=(0, 1, 2))
    points = results.points.copy()
    points.loc[points["learner"].eq("maml"), "n_seeds"] = 2
    assert "over 2 of 3 training seeds" in html(dataclasses.replace(results, points=points))


def test_intervals_are_named_for_what_they_cover(plain: str) -> None:
    assert "not how much another training" in plain
    assert "over training seeds and episodes together" in html(case(seeds=(0, 1, 2)))


def test_a_study_whose_cells_all_failed_has_a_page() -> None:
    results = case(lambda *_: math.nan, failures={"train maml seed 0": "no data"})
    empty = pd.DataFrame()
    text = html(dataclasses.replace(results, training=empty, tuning=empty, costs=empty, examples={}))
    assert "On clean images: no result." in text
    assert "No learner has been trained." in text
    assert "nan" not in re.sub(r"<pre>.*</pre>", "", text, flags=re.S).lower().replace("finetuna", "")


def test_a_study_without_shifts_has_no_curves() -> None:
    text = html(case(learners=("protonet",), corruptions={}, attacks={}))
    assert 'id="curves"' not in text
    assert "each severity and eps" not in text


@pytest.mark.slow
def test_forty_shifts_and_eight_learners_stay_below_five_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On three targets; measured on one with a quarter of the shifts, as the page grows by the point."""
    monkeypatch.setattr(images, "PIXEL_BYTES", images.PIXEL_BYTES // 12)
    results = case(
        learners=[f"learner-{i}" for i in range(7)],
        targets=("handwriting",),
        corruptions={f"corruption_{i}": (1, 2, 3, 4, 5) for i in range(9)},
        attacks={"attack": (0.05, 0.1, 0.2)},
    )
    fixed = len(html(case(corruptions={}, attacks={}, targets=("handwriting",))).encode())
    grown = 12 * (len(html(results).encode()) - fixed)
    assert fixed + grown < 5_000_000


def test_curves_and_examples_are_all_there(plain: str) -> None:
    assert plain.count("<svg") == 3 * len(TARGETS) + 1 + 3  # shifts x targets, validation, a loss each
    assert plain.count("data:image/png") == (1 + 2 * 3 + 3) * len(TARGETS)
    for tag, attrs in Reader(plain).tags:
        assert tag != "img" or attrs["alt"]
