"""Planned passes of cells, held against what is sent through the network."""

from typing import Any

import pytest
from ran import Run

from robustmeta.adaptations import classifier, transductive_finetune
from robustmeta.adaptations.full_finetune import FullFinetune
from robustmeta.adaptations.transductive_finetune import TransductiveFinetune
from robustmeta.core import TaskShape
from robustmeta.study.further import passes as flag_passes

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_plugins")]
STEPS, TASKS, SUPPORT, QUERY = 1, 5, 6, 9
CALL = (STEPS + 1) * (SUPPORT + QUERY)
"""Support and queries at a step, and once more."""
ATTACK = {"attack": "fgsm", "eps": [0.1], "episodes": 2}
TWO_DRAWS = {"label": "two", "support_draws": 2, "episodes": 2}
POISON = {"support_attack": "label_flip", "eps": 0.2, "seed": 2, "episodes": 2}
CERTIFICATE = {"label": "safe", "certificate": "smoothing", "sigma": [0.1], "n0": 1, "n": 10, "episodes": 2}
SHIFTS: list[dict[str, Any]] = [
    {"corruption": "contrast", "severity": [3]},
    {"sequence": "rotate", "episodes": 2},
    ATTACK,
    {**ATTACK, "through": "probe", "label": "from-probe"},
    TWO_DRAWS,
    POISON,
    CERTIFICATE,
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, int]:
    """A learner whose calls train it, with the images that its clean cell has sent through its network."""
    root, sent = tmp_path_factory.mktemp("store"), []
    learner = {"name": "supervised", "train": {"batch": 32}}
    adapt = {"name": "transductive_finetune", "steps": STEPS, "rate": 0.01}
    changes: dict[str, Any] = {
        "learners": [],
        "baselines": [{**learner, "label": "tf", "adapt": adapt}, {**learner, "label": "probe"}],
        "budget": {"steps": 1},
        "flag_episodes": 1,
        "evaluation": {"way": 3, "shot": 2, "query": 3, "episodes": TASKS},
    }
    adapting = TransductiveFinetune.adapt

    def counted(net: Any, shared: Any, own: Any, x: Any, *rest: Any, **options: Any) -> Any:
        sent.append(x.shape[0] * x.shape[1])
        return per_task(net, shared, own, x, *rest, **options)

    def fresh(self: Any, *args: Any) -> Any:
        sent.clear()
        return adapting(self, *args)

    per_task = classifier.per_task
    with pytest.MonkeyPatch.context() as patch:
        for module in (classifier, transductive_finetune):
            patch.setattr(module, "per_task", counted)
        patch.setattr(TransductiveFinetune, "adapt", fresh)
        Run(root, **changes, shifts=[]).whole()
        clean = sum(sent)
    return Run(root / "more", **changes, shifts=SHIFTS).whole(), clean


def test_a_call_that_trains_is_planned_as_it_is_done(run: tuple[Run, int]) -> None:
    made, sent = run
    assert sent == TASKS * (SUPPORT + CALL)
    assert made.work("tf", "clean", 0).passes == made.work("tf", "contrast", 3).passes == TASKS * CALL
    assert made.progress.total == made.progress.seen


def test_every_point_counts_the_calls_that_it_makes(run: tuple[Run, int]) -> None:
    made, _ = run
    probe, shape = made.study.baselines[1].adapt, TaskShape(3, 2, 3)
    assert probe.answer_passes(shape) == FullFinetune().answer_passes(shape) == QUERY
    attack = made.work("tf", "fgsm", 100).shift.attack
    asked, flags = attack.passes(3), flag_passes(attack, 3, 1, 2, 1)
    assert made.work("tf", "fgsm", 100).passes == CALL * (2 * (asked + 1) + flags)
    elsewhere = flag_passes(attack, 3, CALL, 2, 1, transferred=True)
    adapting = probe.passes(shape, TASKS)
    assert made.work("tf", "from-probe", 100).passes == 2 * (QUERY * asked + CALL) + elsewhere + adapting
    assert made.work("tf", "rotate-frames", 1).passes == 2 * 31 * CALL
    assert made.work("tf", "safe", 100).passes == 2 * 11 * CALL
    assert made.work("tf", "two", 2).passes == 2 * (SUPPORT + 2 * CALL)
    tried = SUPPORT + (STEPS + 1) * (SUPPORT + 6)  # one label of six: twelve candidates, each asked for six seeds
    assert made.work("tf", "label_flip", 200).passes == 2 * (12 * tried + SUPPORT + CALL)
