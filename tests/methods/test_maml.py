"""MAML's meta-gradient."""

import copy

import learners
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from robustmeta.core import Tasks
from robustmeta.functional import inner_loop
from robustmeta.functional.normalise import batch_statistics, given_statistics
from robustmeta.methods.maml import Maml
from robustmeta.nets import Norm
from robustmeta.rng import Rng

RNG = Rng(0, ("train",), [0])


def gradients(method: Maml, tasks: Tasks, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    net = learners.build(method).to(dtype)
    method.backward(net, tasks, RNG)
    return [p.grad for p in net.parameters()]  # type: ignore[misc]


def test_meta_gradient_is_the_finite_difference() -> None:
    assert learners.maml_gap() < 1e-6


def test_first_order_is_not() -> None:
    assert learners.maml_gap(order=1) > 1e-3


def test_first_order_is_the_gradient_at_the_adapted_weights() -> None:
    method, tasks = Maml(train=learners.DIET, inner_steps=3, inner_rate=0.3, order=1), learners.made_tasks(1)
    net = learners.build(method)
    method.backward(net, tasks, RNG)
    tuned = copy.deepcopy(net)
    x, y = tasks.support_x[0], tasks.support_y[0]
    for _ in range(3):
        tuned.zero_grad()
        F.cross_entropy(learners.plain_network(tuned, x), y).backward()
        with torch.no_grad():
            for p in tuned.parameters():
                p -= 0.3 * p.grad
    tuned.zero_grad()
    with batch_statistics() as statistics:
        tuned(x)
    with given_statistics(statistics):
        F.cross_entropy(tuned(tasks.query_x[0]), tasks.query_y[0]).backward()
    for a, b in zip(net.parameters(), tuned.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("order", [1, 2])
def test_sixteen_tasks_at_once_are_the_loop_over_them(order: int) -> None:
    method, tasks = Maml(train=learners.DIET, inner_steps=2, order=order), learners.made_tasks(16)  # type: ignore[arg-type]
    with inner_loop.forced(batched=True):
        together = gradients(method, tasks)
    with inner_loop.forced(batched=False):
        looped = gradients(method, tasks)
    parts = (tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y)
    single = [gradients(method, Tasks(*(p[t : t + 1] for p in parts), tasks.way)) for t in range(16)]
    for i, g in enumerate(together):
        mean = torch.stack([s[i] for s in single]).mean(0)
        np.testing.assert_allclose(g, looped[i], atol=1e-6)
        np.testing.assert_allclose(g, mean, atol=1e-6)


def test_the_norm_choices_train_differently() -> None:
    method, tasks = Maml(train=learners.DIET), learners.made_tasks()
    losses = {
        n: method.backward(learners.build(method, n), tasks, RNG).loss
        for n in ("auto", "batch", "support_plus_one", "group")
    }
    assert losses["auto"] == losses["support_plus_one"]
    assert len(set(losses.values())) == 3


def test_per_step_normalisation_written_out() -> None:
    assert learners.per_step_gap() < 1e-10
    assert learners.maml_gap(norm="per_step") < 1e-6


def test_per_step_averages_follow_the_pass_of_their_step() -> None:
    method, tasks = Maml(train=learners.DIET, inner_steps=2), learners.made_tasks()
    net = learners.build(method, "per_step")
    norm = next(m for m in net.modules() if isinstance(m, Norm))
    assert norm.weight.shape == norm.running_mean.shape == (3, 4)
    conv = net.body[0].conv  # type: ignore[index,union-attr]
    first = conv(tasks.support_x.flatten(0, 1)).unflatten(0, tasks.support_y.shape)
    expected = 0.1 * first.mean((1, 3, 4)).mean(0)
    method.backward(net, tasks, RNG)
    torch.testing.assert_close(norm.running_mean[0], expected, atol=1e-6, rtol=1e-4)
    assert not torch.allclose(norm.running_mean[1], norm.running_mean[0], atol=1e-4)
    assert not torch.allclose(norm.running_mean[2], norm.running_mean[1], atol=1e-4)


def test_a_network_without_inner_steps_has_one_set() -> None:
    net = learners.build(learners.small("protonet"), "per_step")
    assert net.mode == "auto"
    assert next(m for m in net.modules() if isinstance(m, Norm)).weight.shape == (4,)


@pytest.mark.parametrize("bad", [{"way": 1}, {"shot": 0}, {"query": 0}, {"tasks": 0}, {"batch": 5}])
def test_a_diet_without_tasks_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="maml trains on tasks"):
        Maml(train=bad)


def test_a_diet_given_in_part_keeps_the_methods_own_default() -> None:
    assert learners.small("reptile").train.query == 0
    method = learners.resolve("methods", "protonet")(train={"shot": 1})
    assert (method.train.way, method.train.shot) == (20, 1)
