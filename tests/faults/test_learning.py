"""Each check of learning turns red when its fault is planted."""

import learners
import pytest
import torch

from robustmeta.adaptations import classifier as classifiers
from robustmeta.adaptations.gradient import Gradient
from robustmeta.functional import inner_loop
from robustmeta.nets import Network, Norm


def test_a_dropped_create_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learners.maml_gap() < 1e-6
    grad = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, create_graph=False, **k: grad(*a, **k))
    assert learners.maml_gap() > 1e-3


def test_an_update_on_detached_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    def detached(rate):
        return lambda p, g, s: ({k: v.detach() - rate * g[k] for k, v in p.items()}, s)

    monkeypatch.setattr("robustmeta.methods.descending.sgd", detached)
    assert learners.maml_gap() > 1e-3


def test_adam_moments_that_are_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learners.reptile_gap() < 1e-10
    monkeypatch.setattr(Network, "keep_adam_state", lambda self, state: None)
    assert learners.reptile_gap() > 1e-4


def test_a_meta_step_that_is_not_annealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learners, "share", lambda kind, progress: 1.0)
    assert learners.reptile_gap() > 1e-4


def test_partial_batches_that_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropped(rng, images, batch, steps):
        return torch.stack([rng.permutation(images)[:, :batch] for _ in range(steps)], 1)

    monkeypatch.setattr("robustmeta.methods.reptile.minibatches", dropped)
    assert learners.reptile_gap() > 1e-4


def test_leaked_query_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    method = learners.small("maml")
    tasks, net = learners.made_tasks(), learners.build(method)
    assert not learners.looks_at_other_queries(learners.adapted(Gradient(), net, tasks), tasks.query_x)
    honest = inner_loop.per_task
    monkeypatch.setattr(classifiers, "per_task", lambda net, shared, own, x, given=None: honest(net, shared, own, x))
    assert learners.looks_at_other_queries(learners.adapted(Gradient(), net, tasks), tasks.query_x)


def test_a_step_that_takes_the_averages_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learners.per_step_gap() < 1e-10
    honest = Norm.averages
    monkeypatch.setattr(Norm, "averages", lambda self, step: honest(self, max(step - 1, 0)))
    assert learners.per_step_gap() > 1e-3


def test_a_forward_that_writes_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    method = learners.small("protonet")
    tasks, net = learners.made_tasks(), learners.build(method)
    assert learners.state_is_untouched(method.adaptation(), net, tasks)
    forward = Norm.forward

    def writes(self, x):
        self.running_mean += 0.1 * x.detach().mean((0, 2, 3))
        return forward(self, x)

    monkeypatch.setattr(Norm, "forward", writes)
    assert not learners.state_is_untouched(method.adaptation(), net, tasks)
