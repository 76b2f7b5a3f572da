"""Meta-gradients against ``higher`` 0.2.1, which differentiates through the optimisers of torch."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from conftest import unavailable
from parity import maml_peers
from torch import Tensor

from robustmeta.backbones.conv4 import Conv4
from robustmeta.core import Tasks
from robustmeta.functional import inner_loop
from robustmeta.methods import anil, descending
from robustmeta.methods.anil import Anil
from robustmeta.methods.descending import Descending
from robustmeta.methods.maml import Maml
from robustmeta.methods.meta_sgd import MetaSgd
from robustmeta.rng import Rng

pytestmark = pytest.mark.parity
DIET = {"way": 5, "shot": 1, "query": 2, "tasks": 3}
CLOSE = 1e-5


@dataclass(frozen=True)
class Case:
    """A method of ours, and what the peer is told."""

    method: Descending
    layers: str = "all"


CASES = {
    "maml, 1 step": Case(Maml(train=DIET, inner_rate=0.4)),
    "maml, 5 steps": Case(Maml(train=DIET, inner_rate=0.1, inner_steps=5)),
    "anil": Case(Anil(train=DIET, inner_rate=0.4, inner_steps=3), "head"),
    "meta_sgd": Case(MetaSgd(train=DIET, inner_rate=0.1)),
}


@pytest.fixture(autouse=True)
def published() -> None:
    """The published program can be run."""
    try:
        import_module("higher")
    except ImportError as error:
        unavailable(f"no published program to compare with ({error}); .ci/parity installs it")


def made_tasks() -> Tasks:
    """Three tasks of 28 x 28 noise on patterns, in float64."""
    rng = Rng(5, ("parity",), np.arange(3, dtype=np.uint64))
    patterns = rng.uniform(5, 1, 28, 28)

    def part(images: int) -> tuple[Tensor, Tensor]:
        y = torch.arange(5).repeat(images).expand(3, -1)
        x = 0.6 * patterns[torch.arange(3)[:, None], y] + 0.4 * rng.uniform(5 * images, 1, 28, 28)
        return x.double(), y

    return Tasks(*part(1), *part(2), 5)


def gap(name: str) -> float:
    """The largest |ours − theirs| of a parameter's gradient, as a share of the norm of theirs."""
    case = CASES[name]
    method, tasks = case.method, made_tasks()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net: Any = method.build(Conv4(width=64, norm="batch"), 28, 1, 5)
    net = net.double()
    generator = torch.Generator().manual_seed(0)
    for rate in net.rates.values():
        rate.data += 0.05 * torch.randn(rate.shape, generator=generator, dtype=rate.dtype)
    loss = method.backward(net, tasks, Rng(0, ("train",), [0])).loss
    rates: Any = {k: v.detach().requires_grad_() for k, v in net.rates_at(0).items()} or method.inner_rate
    value, theirs = maml_peers.by_higher(maml_peers.plain(net), tasks, case.layers, rates, method.inner_steps)
    assert value == pytest.approx(loss, rel=1e-9)
    ours = {k.replace("/", "."): p.grad for k, p in net.named_parameters()}
    assert ours.keys() == theirs.keys()
    return max(float((ours[k] - g.view_as(ours[k])).norm() / g.norm()) for k, g in theirs.items())  # type: ignore[operator,arg-type]


@pytest.mark.parametrize("name", CASES)
def test_meta_gradients_are_theirs(name: str) -> None:
    assert gap(name) < CLOSE


@pytest.mark.parametrize("name", CASES)
def test_a_dropped_create_graph(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = inner_loop.descend

    def dropped(*given: Any, **named: Any) -> Any:
        with monkeypatch.context() as patch:
            grad = torch.autograd.grad
            patch.setattr(torch.autograd, "grad", lambda *a, create_graph=False, **k: grad(*a, **k))
            return honest(*given, **named)

    for module in (anil, descending):
        monkeypatch.setattr(module, "descend", dropped)
    assert gap(name) > 100 * CLOSE


@pytest.mark.parametrize("name", CASES)
def test_a_rate_that_is_wrong_by_a_thousandth(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = inner_loop.descend

    def faster(losses: Any, params: Any, update: Any, *given: Any, **named: Any) -> Any:
        def law(params: Any, gradients: Any, state: Any) -> Any:
            return update(params, {k: 1.001 * g for k, g in gradients.items()}, state)

        return honest(losses, params, law, *given, **named)

    for module in (anil, descending):
        monkeypatch.setattr(module, "descend", faster)
    with pytest.raises(AssertionError):
        assert gap(name) < CLOSE
