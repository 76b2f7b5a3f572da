"""Descent inside a task: worked numbers, and the two ways of going over tasks."""

import numpy as np
import pytest
import torch
from torch import nn

from robustmeta.functional.inner_loop import adam, descend, forced, in_one_pass, minibatches, per_task, sgd
from robustmeta.functional.normalise import batch_statistics, given_statistics
from robustmeta.nets import Norm
from robustmeta.rng import Rng

A, B, C, RATE, STEPS = 0.8, 2.0, -1.0, 0.3, 3


@pytest.mark.parametrize("order", [0, 1, 2])
def test_meta_gradient_of_a_quadratic(order: int) -> None:
    # L(w) = a/2 (w - b)^2 shrinks w - b by (1 - rate a) a step; the meta-loss is (w_K - c)^2 / 2
    w = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
    end, _ = descend(lambda p, k: A / 2 * (p["w"] - B) ** 2, {"w": w}, sgd(RATE), None, STEPS, order)  # type: ignore[arg-type]
    shrink = (1 - RATE * A) ** STEPS
    expected = B + shrink * (w.detach() - B)
    torch.testing.assert_close(end["w"].detach(), expected)
    if order == 0:
        assert not end["w"].requires_grad
        return
    ((end["w"] - C) ** 2 / 2).sum().backward()
    torch.testing.assert_close(w.grad, (expected - C) * (shrink if order == 2 else 1))


def test_orders_agree_where_the_second_derivative_is_zero() -> None:
    gradients = []
    for order in (1, 2):
        w = torch.tensor([0.5], requires_grad=True)
        end, _ = descend(lambda p, k: 3 * p["w"], {"w": w}, sgd(0.1), None, 4, order)
        (end["w"] ** 2).sum().backward()
        gradients.append(w.grad)
    torch.testing.assert_close(*gradients)


def test_adam_is_torchs_without_momentum() -> None:
    start = torch.randn(3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = nn.Parameter(start.clone())
    optimiser = torch.optim.Adam([p], lr=0.1, betas=(0.0, 0.999))
    for _ in range(5):
        optimiser.zero_grad()
        (p**4).sum().backward()
        optimiser.step()
    state = ({"p": torch.zeros(1, 3, dtype=torch.float64)}, torch.zeros((), dtype=torch.float64))
    end, (second, updates) = descend(lambda q, k: (q["p"] ** 4).sum(1), {"p": start[None]}, adam(0.1), state, 5, 0)
    torch.testing.assert_close(end["p"][0], p.detach(), rtol=1e-6, atol=1e-7)
    assert updates == 5
    assert (second["p"] > 0).all()


@pytest.mark.parametrize("given", [False, True])
def test_batched_pass_equals_the_loop(given: bool) -> None:
    norm = Norm(3)
    norm.key = "1"
    net = nn.Sequential(nn.Conv2d(1, 3, 3), norm, nn.Flatten(), nn.Linear(12, 2)).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4, 5, 1, 4, 4, generator=generator, dtype=torch.float64)
    own = {k: torch.randn(4, *p.shape, generator=generator, dtype=p.dtype) for k, p in net.named_parameters()}
    statistics = {"1": (torch.rand(4, 3).double(), torch.rand(4, 3).double())} if given else None
    results = []
    for batched in (True, False):
        params = {k: v.clone().requires_grad_() for k, v in own.items()}
        out, used = per_task(net, {}, params, x, statistics, record=True, batched=batched)
        results.append((out, *used["1"], *torch.autograd.grad(out.square().sum(), list(params.values()))))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_the_choice_of_one_pass_or_a_loop_is_a_table_by_shape_and_can_be_forced() -> None:
    shapes = {(25, 28): True, (26, 28): False, (5, 84): True, (6, 84): False, (75, 28): False}
    for (images, size), expected in shapes.items():
        x = torch.empty(3, images, 1, size, size)
        assert in_one_pass(x) == expected
        for choice in (True, False):
            with forced(choice):
                assert in_one_pass(x) == choice
        assert in_one_pass(x) == expected


def test_minibatches_cycle_without_replacement() -> None:
    rng = Rng(0, ("x",), np.arange(2, dtype=np.uint64))
    rows = minibatches(rng, 6, 4, 5)
    assert rows.shape == (2, 5, 4)
    passes = rows.flatten(1)[:, :18].unflatten(1, (3, 6)).sort(-1).values
    assert (passes == torch.arange(6)).all()
    assert not torch.equal(rows[0], rows[1])
    assert minibatches(rng, 3, 10, 2).shape == (2, 2, 3)


def test_a_layer_that_runs_twice_is_refused() -> None:
    norm = Norm(2)
    x = torch.rand(2, 2, 3, 3)
    with batch_statistics(), pytest.raises(ValueError, match="twice"):
        norm(norm(x))
    with given_statistics({}), pytest.raises(KeyError):
        norm(x)
