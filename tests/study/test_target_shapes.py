"""Targets that state a shape of tasks of their own."""

from pathlib import Path

import pytest
import tiny
from pydantic import ValidationError

from robustmeta.core import StudyError
from robustmeta.report.findings import findings
from robustmeta.report.page import html
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.plan import plan

pytestmark = pytest.mark.usefixtures("fresh_plugins")
TOY = {"name": "toy", "split": "test"}
TARGETS = [{"label": "five", **TOY, "way": 5, "shot": 1}, {"label": "three", **TOY}]


def test_each_target_has_its_own_tasks_and_the_learners_that_serve_them(tmp_path: Path) -> None:
    study = tiny.study(targets=TARGETS, shifts=[])
    store, data = Store(tmp_path), Data(study.images)
    planned = plan(study, store, data)
    trained = [w.learner.label for w in planned.work if w.cell.kind == "train"]
    assert len(trained) == 3, "one training serves all shapes"
    outcome = execute(planned, store, data, Silent())
    assert not outcome.failures
    queries = {(w.learner.label, w.target.label): store.table(w.cell.key, "queries") for w in planned.work if w.target}
    assert {place: len(table) for place, table in queries.items()} == {
        ("maml", "three"): 12 * 9,
        ("protonet", "five"): 12 * 15,
        ("protonet", "three"): 12 * 9,
        ("supervised", "five"): 12 * 15,
        ("supervised", "three"): 12 * 9,
    }
    found = findings(gather(planned, store, outcome))
    assert found.at("five") == ("protonet", "supervised")
    assert found.at("three") == ("maml", "protonet", "supervised")
    page = html(gather(planned, store, outcome))
    assert "5-way 1-shot or 3-way 2-shot" in page
    assert "Chance is 20% or 33.3%" in page


def test_a_target_without_a_shape_keeps_the_keys_that_it_had(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plain, stated = (
        tiny.study(targets=[{"label": "new", **TOY, **shape}]) for shape in ({}, {"way": 3, "shot": 2, "query": 3})
    )
    keys = [plan(s, store, Data(s.images)).keys for s in (plain, stated)]
    assert keys[0] == keys[1]


def test_a_learner_that_serves_no_target(tmp_path: Path) -> None:
    study = tiny.study(targets=TARGETS[:1])
    with pytest.raises(StudyError, match=r"maml serves one way only, its train\.way, which is 3; .* asks for 5"):
        plan(study, Store(tmp_path), Data(study.images))


def test_a_source_has_no_shape() -> None:
    with pytest.raises(ValidationError, match="way"):
        tiny.study(sources=[{**TOY, "way": 5}])
