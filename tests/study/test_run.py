"""The machinery end to end on a tiny study: what is computed, how often, and that it is the same each time."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny
import torch
from ran import Counting
from torch import nn

from robustmeta.adaptations.gradient import Gradient
from robustmeta.adaptations.prototypes import Prototypes
from robustmeta.core import sample
from robustmeta.shifts.corruption import Corruption
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.plan import plan
from robustmeta.study.trials import evaluation_shape

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def run(root: Path, **changes: Any) -> Any:
    study = tiny.study(**changes)
    store, data = Store(root), Data(study.images)
    planned = plan(study, store, data)
    outcome = execute(planned, store, data, Silent())
    assert not outcome.failures, outcome.failures
    return planned, store, outcome


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("store")
    return root, *run(root)


def test_a_second_run_computes_nothing(finished: Any) -> None:
    root, planned, _, outcome = finished
    assert (outcome.cached, outcome.computed) == (0, len(planned.keys))
    _, _, again = run(root)
    assert (again.cached, again.computed) == (len(planned.keys), 0)


def frames(planned: Any, store: Store) -> dict[str, pd.DataFrame]:
    return {w.cell.key: store.table(w.cell.key, "queries") for w in planned.work if w.shift}


def test_another_folder_gives_identical_records(finished: Any, tmp_path: Path) -> None:
    _, planned, store, _ = finished
    other, other_store, _ = run(tmp_path)
    a, b = frames(planned, store), frames(other, other_store)
    assert a.keys() == b.keys()
    for key, frame in a.items():
        pd.testing.assert_frame_equal(frame, b[key], check_exact=True)


def test_cells_computed_alone_are_the_same(finished: Any, tmp_path: Path) -> None:
    """A study grown by a severity and a learner: exactly the new cells, equal to those of the whole at once."""
    _, planned, store, _ = finished
    small = tiny.document()
    less = [{"corruption": "gaussian_noise", "severity": [5]}]
    first, _, _ = run(tmp_path, shifts=less, learners=small["learners"][:1])
    whole, other, outcome = run(tmp_path)
    assert outcome.cached == len(first.keys)
    assert outcome.computed == len(whole.keys) - len(first.keys)
    a, b = frames(planned, store), frames(whole, other)
    for key, frame in a.items():
        pd.testing.assert_frame_equal(frame, b[key], check_exact=True)


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = tiny.study()
    store, data = Store(tmp_path), Data(study.images)
    planned, written = plan(study, store, data), []
    original = Store.write

    def interrupt(self: Store, cell: Any, content: Any) -> None:
        if len(written) == 4:
            raise KeyboardInterrupt
        written.append(cell.key)
        original(self, cell, content)

    with monkeypatch.context() as m:
        m.setattr(Store, "write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            execute(planned, store, data, Silent())
    assert {p.name for p in tmp_path.iterdir()} == set(written)
    _, _, outcome = run(tmp_path)
    assert outcome.cached == 4


def test_results_have_every_point_with_its_interval(finished: Any) -> None:
    _, planned, store, outcome = finished
    points = gather(planned, store, outcome).points
    accuracy = points[points["metric"] == "accuracy"]
    assert len(accuracy) == 3 * 5
    assert accuracy[["mean", "low", "high"]].notna().all(axis=None)
    assert ((accuracy["low"] <= accuracy["mean"]) & (accuracy["mean"] <= accuracy["high"])).all()
    assert accuracy[accuracy["role"] == "learner"]["gain"].notna().all()
    assert accuracy[accuracy["learner"] == "supervised"]["gain"].isna().all()
    assert set(accuracy[accuracy["shift"] == "pgd"]["n_episodes"]) == {5}
    assert set(accuracy[accuracy["shift"] == "clean"]["n_episodes"]) == {12}


@pytest.mark.parametrize("step", [1, 5])
def test_a_gain_is_paired_by_episode(finished: Any, step: int) -> None:
    _, planned, store, outcome = finished
    points = gather(planned, store, outcome).points.set_index(["metric", "learner", "shift", "step"])
    queries = {
        w.learner.label: store.table(w.cell.key, "queries")
        for w in planned.work
        if w.shift and w.shift.label == "gaussian_noise" and w.shift.step == step
    }
    right = {k: (q["predicted"] == q["label"]).to_numpy().reshape(12, -1).mean(1) for k, q in queries.items()}
    for learner in ("maml", "protonet"):
        difference = right[learner] - right["supervised"]
        row = points.loc[("accuracy", learner, "gaussian_noise", step)]
        assert row["gain"] == pytest.approx(difference.mean())
        half = 2.200985 * difference.std(ddof=1) / 12**0.5  # Student's t, 11 degrees of freedom, 97.5%
        assert row["gain_high"] - row["gain"] == pytest.approx(half, rel=1e-4)


def test_query_labels_are_the_episodes_labels(finished: Any) -> None:
    _, planned, store, _ = finished
    study = planned.study
    domain = Data(study.images).domain([study.targets[0].source])
    labels = sample(domain, evaluation_shape(study, study.targets[0]), 0, 0, 12).query_y.flatten().tolist()
    clean = next(w for w in planned.work if w.shift and not w.shift.axis)
    assert store.table(clean.cell.key, "queries")["label"].tolist() == labels


def test_what_is_planned_is_what_passes(tmp_path: Path) -> None:
    """Progress and plan count the same images, and both count what the backbone sees."""

    study, progress = tiny.study(), Counting()
    store, data = Store(tmp_path), Data(study.images)
    execute(plan(study, store, data), store, data, progress)
    assert progress.seen == progress.total


def test_each_image_is_corrupted_and_embedded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corrupted, embedded = Counter[str](), Counter[int]()
    original, embed = Corruption.__call__, Prototypes.embed

    def counted(self: Corruption, images: torch.Tensor, level: Any, rng: Any, chunk: int = 256) -> torch.Tensor:
        corrupted[f"{self.name} {level}"] += len(images)
        return original(self, images, level, rng, chunk)

    def watched(self: Prototypes, net: nn.Module, x: torch.Tensor) -> torch.Tensor:
        embedded[id(net)] += len(x)
        return embed(self, net, x)

    monkeypatch.setattr(Corruption, "__call__", counted)
    monkeypatch.setattr(Prototypes, "embed", watched)
    changes: dict[str, Any] = {
        "learners": [{"name": "protonet", "train": {"way": 4, "shot": 2, "query": 3, "tasks": 2}}],
        "shifts": [{"corruption": "gaussian_noise", "severity": [1, 5]}],
        "evaluation": {"way": 3, "shot": 2, "query": 3, "episodes": 600},
    }
    planned, _, _ = run(tmp_path, **changes)
    domain = Data(planned.study.images).domain([planned.study.targets[0].source])
    rows = len(sample(domain, evaluation_shape(planned.study, planned.study.targets[0]), 0, 0, 600).rows())
    assert corrupted == dict.fromkeys(corrupted, rows)
    assert len(corrupted) == 2
    assert max(embedded.values()) == 3 * rows  # clean and two severities, one network


def test_severities_of_a_query_corruption_adapt_maml_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[int] = []
    original = Gradient.adapt

    def counted(self: Gradient, net: nn.Module, x: torch.Tensor, *rest: Any) -> Any:
        tasks.append(len(x))
        return original(self, net, x, *rest)

    small = tiny.document()
    shifts = [{"corruption": "gaussian_noise", "severity": [1, 2, 3, 4, 5]}]
    run(tmp_path, learners=small["learners"][:1], baselines=[], shifts=[])
    monkeypatch.setattr(Gradient, "adapt", counted)
    run(tmp_path, learners=small["learners"][:1], baselines=[], shifts=shifts)
    assert sum(tasks) == 12


def test_a_failing_corruption_costs_its_own_cell_only(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text(
        "from robustmeta import corruption\n\n"
        "@corruption(levels=(1, 2), family='noise')\ndef bad(x, level, rng):\n"
        "    return x / 0 if level == 2 else x\n"
    )
    study = tiny.study(shifts=[{"corruption": f"{file}:bad"}, {"corruption": "contrast", "severity": 1}])
    store, data = Store(tmp_path / "store"), Data(study.images)
    planned = plan(study, store, data)
    outcome = execute(planned, store, data, Silent())
    assert sorted(outcome.failures) == [f"evaluate {n} seed 0 new bad 2" for n in ("maml", "protonet", "supervised")]
    assert all("NaN or infinite" in reason for reason in outcome.failures.values())
    points = gather(planned, store, outcome).points
    failed = points[(points["shift"] == "bad") & (points["step"] == 2)]
    assert failed["mean"].isna().all()
    assert points[points["shift"] == "contrast"]["mean"].notna().all()


def test_a_diverging_training_names_its_step_and_the_study_goes_on(tmp_path: Path) -> None:
    small = tiny.document()
    bad = {"label": "wild", "name": "maml", "train": small["learners"][0]["train"], "rate": 1e30}
    study = tiny.study(learners=[bad, small["learners"][1]], shifts=[])
    store, data = Store(tmp_path), Data(study.images)
    outcome = execute(plan(study, store, data), store, data, Silent())
    assert set(outcome.failures) == {"train wild seed 0", "tune wild seed 0", "evaluate wild seed 0 new clean"}
    assert "at step" in outcome.failures["train wild seed 0"]
    assert "last finite loss" in outcome.failures["train wild seed 0"]
    assert outcome.computed == 6


def test_the_threads_of_the_caller_are_left_as_they_were(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    run(tmp_path, learners=[], shifts=[])
    assert torch.get_num_threads() == before
