"""Whole sets and sequences: as the report lists them and as MLflow keeps them."""

from dataclasses import replace
from typing import Any

import pandas as pd
from report_cases import case

from robustmeta.report import facts
from robustmeta.report.findings import findings
from robustmeta.report.page import html
from robustmeta.store.results import Results
from robustmeta.tracking.curves import set_summary, stability

NAN = float("nan")


def row(learner: str, target: str, group: str, measure: str, mean: float) -> dict[str, Any]:
    numbers = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "interval": "episodes"}
    return {"learner": learner, "target": target, "group": group, "measure": measure} | numbers


def results(**changes: Any) -> Results:
    made = case(**changes)
    learners = [one.label for one in (*made.study.learners, *made.study.baselines)]
    target = made.study.targets[0].label
    sets = [row(n, target, "imagenet-c", m, v) for n in learners for m, v in (("mean_accuracy", 0.7), ("mce", 1.2))]
    sets += [row(n, target, "imagenet-c", "relative_mce", NAN) for n in learners]
    sets += [row(n, target, "imagenet-c-bar", "mean_accuracy", 0.6) for n in learners]
    frames = made.points[made.points["metric"] == "accuracy"].drop_duplicates(["learner", "target"])
    flips = frames.assign(
        metric="flip_rate", axis="frames", shift="rotate-frames", step=1, mean=0.125, low=0.1, high=0.2
    )
    return replace(made, sets=pd.DataFrame(sets), points=pd.concat([made.points, flips], ignore_index=True))


def test_a_line_a_measure_and_a_column_a_learner() -> None:
    found = results()
    listed = facts.sets(found, findings(found))
    assert listed is not None
    assert listed.columns[:2] == ("set and measure", "target")
    lines = {r[0]: r[2:] for r in listed.rows}
    assert set(lines["imagenet-c: mean accuracy, %"]) == {"70.0 [60.0, 80.0]"}
    assert set(lines["imagenet-c: mCE"]) == {"1.200 [1.100, 1.300]"}
    assert all(text.startswith("undefined") for text in lines["imagenet-c: relative mCE"])
    assert "imagenet-c-bar: mean accuracy, %" in lines
    assert "imagenet-c-bar: mCE" not in lines
    assert findings(found).baseline in listed.caption


def test_a_ratio_that_some_resamples_leave_undefined_has_no_interval() -> None:
    found = results()
    sets = found.sets.copy()
    sets.loc[sets["measure"] == "relative_mce", "mean"] = 0.9
    found = replace(found, sets=sets)
    listed = facts.sets(found, findings(found))
    assert listed is not None
    assert {r[0]: set(r[2:]) for r in listed.rows}["imagenet-c: relative mCE"] == {"0.900 (no interval)"}
    assert listed.caption.endswith("(no interval): in some resamples the baseline loses nothing")


def test_a_transductive_learner_is_not_held_against_an_inductive_baseline() -> None:
    found = results(transductive=("maml",))
    listed = facts.sets(found, findings(found))
    assert listed is not None
    place = listed.columns.index("maml")
    lines = {r[0]: r[place] for r in listed.rows}
    assert lines["imagenet-c: mCE"] == "not compared: transductive against inductive"
    assert lines["imagenet-c: mean accuracy, %"] == "70.0 [60.0, 80.0]"


def test_stability_has_a_table_of_its_own_and_enters_no_accuracy() -> None:
    found, plain = results(), case()
    listed = facts.stability(found, findings(found))
    assert listed is not None
    assert {r[0] for r in listed.rows} == {"rotate-frames"}
    assert {text for r in listed.rows for text in r[3:]} == {"12.50 [10.00, 20.00]"}
    assert repr(findings(found).points) == repr(findings(plain).points)  # by text, as NaN is not NaN
    page = html(found)
    assert "Stability on sequences" in page
    assert "imagenet-c: mCE" in page
    assert facts.stability(plain, findings(plain)) is None
    assert facts.sets(plain, findings(plain)) is None


def test_mlflow_keeps_what_is_defined() -> None:
    found = results()
    target = found.study.targets[0].label
    kept = {p.key: (p.step, p.value) for p in set_summary(found, "maml", 5)}
    assert kept == {
        f"summary/mean_accuracy/imagenet-c/{target}": (0, 0.7),
        f"summary/mce/imagenet-c/{target}": (0, 1.2),
        f"summary/mean_accuracy/imagenet-c-bar/{target}": (0, 0.6),
    }
    flips = {p.key: (p.step, p.value) for p in stability(found, "maml", 5)}
    assert flips == {f"flip/{t.label}/rotate-frames": (1, 0.125) for t in found.study.targets}
