"""Adversarial training through the training loop: budgets, costs, resuming, plans and errors."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny
import trainings
from pydantic import ValidationError
from trainings import LEARNERS, Training, expect_same

from robustmeta.cli.show import plan_text
from robustmeta.config.load import StudyErrors, load_study
from robustmeta.config.study import Study
from robustmeta.config.training import Budget
from robustmeta.core import StudyError
from robustmeta.store.cells import Store
from robustmeta.store.results import Outcome
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.plan import plan
from robustmeta.tracking.curves import spent

pytestmark = pytest.mark.usefixtures("fresh_plugins")
FOE = {"eps": 0.1, "steps": 2}


def fought(name: str, **adversary: Any) -> dict[str, Any]:
    return {**LEARNERS[name], "adversary": FOE | adversary}


def training(folder: Path, name: str, adversary: dict[str, Any] | None = None, **changes: Any) -> Training:
    return Training(folder, name, learners=[fought(name, **(adversary or {}))], **changes)


@pytest.mark.parametrize(
    ("name", "adversary"),
    [("maml", {"place": "both"}), ("protonet", {"loss": "trades"}), ("reptile", {}), ("supervised", {})],
)
def test_the_plan_is_what_is_spent(tmp_path: Path, name: str, adversary: dict[str, Any]) -> None:
    one = training(tmp_path, name, adversary, budget={"steps": 3})
    costs = one.run().costs
    assert sum(costs[k] for k in ("passes", "validation_passes", "centre_passes")) == one.work.passes
    assert costs["gradient_passes"] == one.work.gradient_passes == one.plan.rows[0].gradient_passes
    assert costs["passes"] == 3 * one.work.learner.method.passes()
    assert costs["gradient_passes"] == 3 * one.work.learner.method.gradient_passes()


@pytest.mark.parametrize(
    "name", ["protonet", "supervised", *(pytest.param(n, marks=pytest.mark.slow) for n in ("maml", "reptile"))]
)
def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path, name: str) -> None:
    changes = {"learners": [fought(name)], "training": {"augment": trainings.FLIPS}}
    trainings.expect_resumed(tmp_path, name, 4, **changes)


def test_the_same_study_gives_the_same_bits_and_another_seed_others(tmp_path: Path) -> None:
    first = training(tmp_path, "protonet").run()
    expect_same(training(tmp_path, "protonet").run(), first)
    with pytest.raises(AssertionError):
        expect_same(training(tmp_path, "protonet", seeds=[1]).run(), first)


def test_nothing_changes_without_one_and_doing_nothing_trains_the_same(tmp_path: Path) -> None:
    plain, idle = Training(tmp_path, "protonet"), training(tmp_path, "protonet", {"eps": 0})
    assert "adversary" not in json.dumps(plain.work.cell.spec)
    assert plain.work.cell.key != idle.work.cell.key
    expect_same(plain.run(), idle.run())


@pytest.mark.slow
def test_a_budget_in_gradient_passes_is_as_many_for_every_learner(tmp_path: Path) -> None:
    for name in LEARNERS:
        for learner in (LEARNERS[name], fought(name)):
            one = Training(tmp_path, name, learners=[learner], budget={"gradient_passes": 700})
            step = one.work.learner.method.gradient_passes()
            content = one.run()
            assert content.protocol["steps"] == 700 // step
            assert 700 - step < content.costs["gradient_passes"] <= 700
    assert str(Budget(gradient_passes=700)) == "700 gradient passes"
    with pytest.raises(StudyError, match="a step takes 96 gradient passes, the budget is 95"):
        training(tmp_path, "supervised", budget={"gradient_passes": 95})
    with pytest.raises(ValidationError, match="images:, steps:, gradient_passes: or seconds:; got images and grad"):
        Budget(images=1, gradient_passes=1)


def test_gradient_passes_are_in_the_results_and_in_mlflow(tmp_path: Path) -> None:
    changes = {"learners": [fought("protonet")], "baselines": [], "shifts": [], "budget": {"steps": 2}}
    study, store = tiny.study(**changes), Store(tmp_path)
    data = Data(study.images)
    made = plan(study, store, data)
    assert "Training sends 132 images backward, 132 of them to do." in plan_text(made.rows)
    execute(made, store, data, Silent())
    results = gather(made, store, Outcome(len(made.keys), 0, 0, {}))
    assert results.costs["gradient_passes"].tolist() == [132]
    points = {p.key: p.value for p in spent(results, study.learners[0].label, 0, 0)}
    assert points == {"cost/images": 60, "cost/train_passes": 156, "cost/gradient_passes": 132}


def test_a_cell_of_before_has_no_count_of_gradient_passes(tmp_path: Path) -> None:
    changes = {"learners": [LEARNERS["protonet"]], "baselines": [], "shifts": [], "budget": {"steps": 2}}
    study, store = tiny.study(**changes), Store(tmp_path)
    data = Data(study.images)
    made = plan(study, store, data)
    execute(made, store, data, Silent())
    (file,) = (p for p in tmp_path.rglob("costs.json") if "gradient_passes" in p.read_text())
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "gradient_passes"}))
    results = gather(made, store, Outcome(len(made.keys), 0, 0, {}))
    assert results.costs["gradient_passes"].isna().all()
    assert {p.key for p in spent(results, "protonet", 0, 0)} == {"cost/images", "cost/train_passes"}


def test_errors_name_their_place(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    head = "name: x\nsources: [{name: glyphs, split: train}]\ntargets: [{label: t, name: glyphs, split: test}]\n"
    file.write_text(
        head
        + "budget: {gradient_passes: 10_000}\nlearners:\n"
        + "  - {name: protonet, adversary: {eps: 8/255, steps: -7, step_siz: 1}}\n"
        + "  - {name: cnp, adversary: {place: both}}\n"
        + "  - {name: mann, adversary: {loss: trades}}\n"
    )
    with pytest.raises(StudyErrors) as error:
        load_study(str(file))
    lines = str(error.value).splitlines()
    assert any(":6:53: learners.0.adversary.steps: expected greater than or equal to 0; got -7" in r for r in lines)
    assert any(":6:57: learners.0.adversary.step_siz: unknown key; did you mean step_size?" in r for r in lines)
    assert any(":7:36: learners.1.adversary.place: cnp takes no inner steps" in r for r in lines)
    assert any(":8:36: learners.2.adversary.loss: mann has no loss on each query" in r for r in lines)


def test_labels_tell_adversaries_apart_and_survive_writing() -> None:
    study = tiny.study(learners=[LEARNERS["protonet"], fought("protonet")], baselines=[])
    first, second = (learner.label for learner in study.learners)
    assert second == f"{first}-eps-0.1-steps-2"
    again = tiny.study(learners=[one.model_dump(mode="json") for one in study.learners], baselines=[])
    assert again.learners == study.learners
    assert isinstance(again, Study)
