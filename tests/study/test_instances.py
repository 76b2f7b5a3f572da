"""Accuracy by instance: measured with the choice of a learner, kept beside it, and read by MLflow and the report."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import learners
import pandas as pd
import pytest
import tiny
import torch
from report_cases import case

from robustmeta.config.study import Study
from robustmeta.core import TaskShape, sample, to_float
from robustmeta.metrics.instances import by_elimination
from robustmeta.report.instances import instances as reported
from robustmeta.report.page import html
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.instances import INSTANCES, by_instance
from robustmeta.study.plan import plan
from robustmeta.tracking.curves import instances as points

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def readers(**changes: Any) -> Study:
    diet = {"way": 3, "shot": 2, "query": 2, "tasks": 2}
    both = [
        {"name": "mann", "train": diet, "units": 8, "slots": 12, "size": 4, "heads": 2},
        {"name": "lstm", "train": diet, "units": 8},
    ]
    return tiny.study(learners=both, shifts=[], budget={"images": 120}, **changes)


def test_a_study_measures_it_where_images_are_read_one_by_one(tmp_path: Path) -> None:
    study = readers(seeds=[0, 1])
    store, data = Store(tmp_path), Data(study.images)
    planned = plan(study, store, data)
    assert not execute(planned, store, data, Silent()).failures
    results = gather(plan(study, store, data), store, execute(plan(study, store, data), store, data, Silent()))
    table = results.instances
    assert len(table) == 2 * 2 * INSTANCES
    assert set(table["learner"]) == {"mann", "lstm"}
    assert set(table["way"]) == {3}
    assert table["accuracy"].between(0, 1).all()
    assert "Accuracy by instance" in html(results)


def test_it_is_the_share_of_right_guesses_at_the_kth_image() -> None:
    net = learners.build(learners.small("lstm"))
    domain = tiny.Toy(split="val", images=4).load(16, 1)
    table = by_instance(net, domain, 20, 3)
    assert table is not None
    episodes = sample(domain, TaskShape(3, 4, 0), 3, 0, 20, "sequence")  # there are no more than four images a class
    right: dict[int, list[bool]] = {}
    for rows, y in zip(episodes.support, episodes.support_y, strict=True):
        with torch.no_grad():
            guesses = net.head.guesses(net.body(to_float(domain.images[rows]))[None], y[None])[0].argmax(-1)  # type: ignore[operator]
        seen = [0, 0, 0]
        for guess, label in zip(guesses.tolist(), y.tolist(), strict=True):
            seen[label] += 1
            right.setdefault(seen[label], []).append(guess == label)
    assert table["instance"].tolist() == [1, 2, 3, 4]
    assert table["accuracy"].tolist() == pytest.approx([sum(right[k]) / 60 for k in (1, 2, 3, 4)])


def test_other_learners_have_none() -> None:
    domain = tiny.Toy(split="val").load(16, 1)
    assert by_instance(learners.build(learners.small("cnp")), domain, 4, 0) is None
    assert by_instance(learners.build(learners.small("protonet")), domain, 4, 0) is None
    assert by_instance(torch.nn.Identity(), domain, 4, 0) is None


def made() -> Any:
    rows = [
        {"learner": n, "seed": s, "way": 3, "instance": k, "accuracy": a + 0.1 * s}
        for n, scores in (("mann", (0.4, 0.8)), ("lstm", (0.4, 0.5)))
        for s in (0, 1)
        for k, a in enumerate(scores, 1)
    ]
    return replace(case(), study=readers(seeds=[0, 1]), instances=pd.DataFrame(rows))


def test_the_report_says_what_the_memory_adds() -> None:
    found = reported(made(), {"mann": "#000000", "lstm": "#111111"})
    assert found is not None
    assert found.table.columns == ("learner", "k = 1", "k = 2")
    assert found.table.rows == (("mann", "45.0", "85.0"), ("lstm", "45.0", "55.0"), ("mann − lstm", "+0.0", "+30.0"))
    assert f"{100 * by_elimination(3):.3g}%" in found.key
    assert reported(case(), {}) is None
    assert "Accuracy by instance" not in html(case())


def test_mlflow_has_a_curve_of_it() -> None:
    results = made()
    whole = {(p.key, p.step): p.value for p in points(results, "mann", 5)}
    assert whole == {("instance", 1): pytest.approx(0.45), ("instance", 2): pytest.approx(0.85)}
    assert [p.value for p in points(results, "mann", 5, seed=1)] == pytest.approx([0.5, 0.9])
    assert points(case(), "mann", 5) == []
