"""What must hold of any attack that works, on small trained networks of three kinds."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny

from robustmeta.functional.projection import BALLS
from robustmeta.store.cells import Store
from robustmeta.store.results import Results
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.plan import plan

EPS = [0.02, 0.05, 0.1, 1]
STEPS = [1, 4, 20]
SHIFTS = [
    {"label": "pgd", "attack": "pgd", "eps": EPS, "steps": STEPS, "random_start": False},
    {"label": "l2", "attack": "pgd", "norm": "l2", "eps": [0.2, 0.8, 16], "steps": 20, "step_size": 0.1},
    {"label": "whole", "attack": "pgd", "eps": 1, "steps": 40, "decay": "linear", "restarts": 8},
    {"label": "noise", "attack": "noise", "eps": EPS[:3], "draws": 5},
    {"label": "other", "attack": "pgd", "eps": EPS[:3], "steps": 20, "random_start": False, "through": "supervised"},
    {"label": "safe", "certificate": "smoothing", "sigma": [0.05, 0.2], "n0": 20, "n": 100, "episodes": 6},
]
ROOM = 0.03
"""Three queries of a hundred: an attack is a search."""
FALL = 0.1
"""By so much accuracy falls at least."""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_plugins")]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = tiny.study(shifts=SHIFTS, flag_episodes=0, budget={"images": 3000})
    store, data = Store(tmp_path_factory.mktemp("store")), Data(study.images)
    planned = plan(study, store, data)
    outcome = execute(planned, store, data, Silent())
    assert not outcome.failures, outcome.failures
    return gather(planned, store, outcome)


LEARNERS = ("maml", "protonet", "supervised")


@pytest.fixture(params=LEARNERS)
def accuracy(results: Results, request: pytest.FixtureRequest) -> pd.Series:
    """By shift and 1000 eps, of one learner."""
    points = results.points
    mine = points[(points["learner"] == request.param) & (points["metric"] == "accuracy")]
    return mine.set_index(["shift", "step"])["mean"]


def falls(values: list[float]) -> bool:
    return all(b <= a + ROOM for a, b in pairwise(values)) and values[-1] < values[0] - FALL


def test_accuracy_falls_with_eps(accuracy: pd.Series) -> None:
    assert accuracy["clean", 0] > 1 / 3 + 0.1
    assert falls([accuracy["clean", 0], *(accuracy["pgd.steps-20", round(1000 * e)] for e in EPS[:3])])
    assert falls([accuracy["clean", 0], *(accuracy["l2", round(1000 * e)] for e in (0.2, 0.8, 16))])


def test_at_eps_1_nothing_is_left(accuracy: pd.Series) -> None:
    assert accuracy["whole", 1000] == 0
    for one_start in (accuracy["pgd.steps-20", 1000], accuracy["l2", 16000]):  # √n of n pixels
        assert one_start < 1 / 3 - 0.15


def test_accuracy_falls_with_steps(accuracy: pd.Series) -> None:
    for eps in EPS[:3]:
        assert falls([accuracy["clean", 0], *(accuracy[f"pgd.steps-{k}", round(1000 * eps)] for k in STEPS)])
    assert accuracy["pgd.steps-20", 50] < accuracy["pgd.steps-1", 50] - ROOM


def test_noise_is_weaker_than_an_attack(accuracy: pd.Series) -> None:
    for eps in EPS[:3]:
        step = round(1000 * eps)
        assert accuracy["noise", step] > accuracy["pgd.steps-20", step] + ROOM
        assert accuracy["noise", step] <= accuracy["clean", 0] + ROOM


def test_what_was_made_for_another_is_weaker(results: Results) -> None:
    points = results.points[results.points["metric"] == "accuracy"].set_index(["learner", "shift", "step"])["mean"]
    for step in (20, 50, 100):
        assert points["supervised", "other", step] == points["supervised", "pgd.steps-20", step]
        for learner in LEARNERS[:2]:
            assert points[learner, "other", step] >= points[learner, "pgd.steps-20", step]
            assert points[learner, "other", step] <= points[learner, "clean", 0] + ROOM


def test_no_attack_alone_is_below_the_worst_case(accuracy: pd.Series) -> None:
    for step in (20, 50, 100):
        alone = [accuracy[name, step] for name in ("pgd.steps-20", "noise", "other")]
        assert accuracy["ensemble-minimum-linf", step] <= min(alone)


def test_certified_accuracy_falls_with_the_radius_and_noise_reaches_farther(results: Results) -> None:
    table = results.certificates[results.certificates["measure"] == "certified_accuracy"]
    for _, curve in table.groupby(["learner", "sigma"]):
        assert np.all(np.diff(curve["mean"]) <= 0)
    far = table[table["mean"] > 0].groupby(["learner", "sigma"])["radius"].max().unstack()
    assert (far[0.2] > far[0.05]).all()


def test_an_attack_that_descends_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steepest = BALLS["linf"].steepest
    monkeypatch.setitem(BALLS, "linf", replace(BALLS["linf"], steepest=lambda g: -steepest(g)))
    study = tiny.study(shifts=SHIFTS[:1], learners=[], flag_episodes=0)
    store, data = Store(tmp_path), Data(study.images)
    planned = plan(study, store, data)
    points = gather(planned, store, execute(planned, store, data, Silent())).points
    found = points[points["metric"] == "accuracy"].set_index(["shift", "step"])["mean"]
    assert not falls([found["clean", 0], *(found["pgd.steps-20", round(1000 * e)] for e in EPS[:3])])
    assert not falls([found["clean", 0], *(found[f"pgd.steps-{k}", 50] for k in STEPS)])
