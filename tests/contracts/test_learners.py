"""Every built-in method with every adaptation that its network allows, under every normalisation."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import learners
import numpy as np
import pytest
import torch

from robustmeta.config.components import EmbeddingAdaptation
from robustmeta.core import StudyError, Tasks, TaskShape, copy_state
from robustmeta.registry import builtin
from robustmeta.rng import Rng

METHODS = sorted(builtin("methods"))
NORMS = ("auto", "batch", "support_plus_one", "per_step", "group", "none")
NORMED = ("maml", "protonet", "reptile", "supervised")
"""What has every normalisation; the others have two of them."""
GOLDEN = Path(__file__).with_name("golden_learners.json")
PAIRS = [
    (m, a)
    for m in METHODS
    for a in (learners.adaptations(learners.small(m)) if m in ("maml", "supervised") else [learners.native(m)])
]
"""Every method with its own adaptation, and one network with a head and one without with all that they allow."""


@cache
def trained(method: str, norm: str) -> dict[str, torch.Tensor]:
    choices = learners.small(method)
    net = learners.build(choices, norm)
    learners.train(choices, net, 2)
    return copy_state(net)


def learner(method: str, adaptation: str, norm: str = "auto"):
    """A network of the test's own, after two steps of training."""
    choices = learners.small(method)
    net = learners.build(choices, norm)
    net.load_state_dict(trained(method, norm))
    return net, learners.adaptations(choices)[adaptation]


@pytest.mark.parametrize(
    ("method", "adaptation", "norm"),
    [
        pytest.param(m, a, n, marks=[] if n in ("auto", "batch") else [pytest.mark.slow])
        for m, a in PAIRS
        for n in (NORMS if m in NORMED else ["auto", "batch"])
    ],
)
def test_adaptation(method: str, adaptation: str, norm: str) -> None:
    net, adapt = learner(method, adaptation, norm)
    tasks = learners.made_tasks(3)
    assert learners.state_is_untouched(adapt, net, tasks)
    classifier = learners.adapted(adapt, net, tasks)
    x = tasks.query_x.clone().requires_grad_()
    logits = classifier(x)
    assert logits.shape == (3, 6, 3)
    assert logits.isfinite().all()
    (slope,) = torch.autograd.grad(logits[..., 0].sum(), x)
    assert slope.abs().sum() > 0
    with torch.no_grad():
        assert not classifier(tasks.query_x).requires_grad
        part = classifier.select(slice(1, 3))(tasks.query_x[1:3])
    torch.testing.assert_close(part, logits[1:3].detach(), atol=1e-4, rtol=1e-4)
    assert classifier.coupled == (norm == "batch" or adaptation == "transductive_finetune")
    assert learners.looks_at_other_queries(classifier, tasks.query_x) == classifier.coupled


@pytest.mark.parametrize(("method", "adaptation"), PAIRS)
def test_adaptation_needs_no_other_task(method: str, adaptation: str) -> None:
    """In float64: the first step of Adam divides a gradient by itself, which blows the rounding of float32 up."""
    net, adapt = learner(method, adaptation)
    net, tasks = net.double(), learners.made_tasks(3, dtype=torch.float64)
    logits = learners.adapted(adapt, net, tasks)(tasks.query_x)
    alone = adapt.adapt(net, tasks.support_x[1:2], tasks.support_y[1:2], 3, learners.task_rng(3).at(slice(1, 2)))
    torch.testing.assert_close(alone(tasks.query_x[1:2])[0], logits[1], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("norm", ["auto", pytest.param("batch", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("method", "adaptation"), PAIRS)
def test_image_passes(method: str, adaptation: str, norm: str) -> None:
    net, adapt = learner(method, adaptation, norm)
    tasks, seen = learners.made_tasks(3), []
    net.body.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    with learners.one_by_one():
        learners.adapted(adapt, net, tasks)
    assert sum(seen) == adapt.passes(TaskShape(3, 2, 2), 3)


@pytest.mark.parametrize(("method", "adaptation"), PAIRS)
@pytest.mark.parametrize("labels", [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 0, 2, 1]])
def test_supports_that_are_imbalanced_or_lack_a_class(method: str, adaptation: str, labels: list[int]) -> None:
    net, adapt = learner(method, adaptation)
    tasks = learners.made_tasks(2)
    tasks = replace(tasks, support_y=torch.tensor([labels, [0, 0, 1, 1, 2, 2]]))
    logits = learners.adapted(adapt, net, tasks)(tasks.query_x)
    assert logits.isfinite().all()
    if not isinstance(adapt, EmbeddingAdaptation):
        return
    absent = sorted({0, 1, 2} - set(labels))
    assert not np.isin(logits[0].argmax(-1), absent).any()


@pytest.mark.parametrize("name", [m for m in METHODS if learners.small(m).diet().images])
def test_training_step(name: str) -> None:
    method = learners.small(name)
    net, twin = learners.build(method), learners.build(method)
    seen: list[int] = []
    net.body.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    before = copy_state(net)
    with learners.one_by_one():
        stats = method.backward(net, learners.meal(method), Rng(0, ("train",), [0]))
        again = method.backward(twin, learners.meal(method), Rng(0, ("train",), [0]))
    assert stats == again
    assert sum(seen) == stats.passes == method.passes()
    for (k, p), q in zip(net.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, before[k])
        assert p.grad is not None
        assert p.grad.isfinite().all()
        assert torch.equal(p.grad, q.grad)
    assert any(p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_traits(name: str) -> None:
    method = learners.small(name)
    net, adapt = learner(name, method.adaptation().name)
    traits, tasks = method.traits, learners.made_tasks(2)
    logits = learners.adapted(adapt, net, tasks)(tasks.query_x)

    def unchanged(support: Tasks, expected: torch.Tensor) -> bool:
        return torch.allclose(learners.adapted(adapt, net, support)(tasks.query_x), expected, atol=1e-3)

    renamed = torch.tensor([2, 0, 1])
    swapped = replace(tasks, support_y=renamed[tasks.support_y])
    assert unchanged(swapped, logits[..., renamed.argsort()]) == traits.equivariant
    order = torch.tensor([5, 3, 1, 0, 4, 2])
    shuffled = replace(tasks, support_x=tasks.support_x[:, order], support_y=tasks.support_y[:, order])
    assert unchanged(shuffled, logits) == traits.order_free
    assert isinstance(adapt, EmbeddingAdaptation) == traits.embeds
    if traits.fixed_way:
        with pytest.raises(StudyError):
            learners.adapted(adapt, net, learners.made_tasks(way=4))
    else:
        assert learners.adapted(adapt, net, learners.made_tasks(way=4))(tasks.query_x).shape == (2, 6, 4)


def fingerprint(method: str, adaptation: str) -> dict[str, list[float]]:
    choices = learners.small(method)
    net, tasks = learners.build(choices), learners.made_tasks(2)
    losses = learners.train(choices, net)
    logits = learners.adapted(learners.adaptations(choices)[adaptation], net, tasks)(tasks.query_x)
    return {"losses": [round(v, 4) for v in losses], "logits": [round(v, 3) for v in logits[1, 0].tolist()]}


@pytest.mark.parametrize(("method", "adaptation"), PAIRS)
def test_numbers_change_only_with_a_version(method: str, adaptation: str) -> None:
    choices = learners.small(method)
    key = f"{method}@{choices.version} {adaptation}@{learners.adaptations(choices)[adaptation].version}"
    golden, got = json.loads(GOLDEN.read_text()), fingerprint(method, adaptation)
    assert key in golden, f"a new version: add {json.dumps({key: got})}"
    for part, values in golden[key].items():
        assert got[part] == pytest.approx(values, rel=2e-2, abs=2e-3), "numbers changed: raise the version"
