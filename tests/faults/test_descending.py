"""Each check of methods that learn through inner steps turns red when its fault is planted."""

import time
from copy import deepcopy
from typing import Any

import descents
import learners
import pytest
import torch
from torch import Tensor, nn

from robustmeta.functional import by_task, inner_loop, patches, query_pass
from robustmeta.functional.inner_loop import AdamState, Params
from robustmeta.methods import anil, descending
from robustmeta.methods.anil import Anil
from robustmeta.methods.boil import Boil
from robustmeta.methods.fomaml import FoMaml
from robustmeta.methods.maml import Maml
from robustmeta.methods.mamlpp import MamlPp
from robustmeta.methods.meta_sgd import MetaSgd
from robustmeta.nets import Network

DIET = learners.DIET
METHODS = {
    "maml, 5 steps": Maml(train=DIET, inner_steps=5, inner_rate=0.2),
    "anil": Anil(train=DIET, inner_steps=3, inner_rate=0.5),
    "boil": Boil(train=DIET, inner_steps=2, inner_rate=0.3),
    "meta_sgd": MetaSgd(train=DIET, inner_steps=2, inner_rate=0.3),
    "mamlpp": MamlPp(train=DIET, inner_steps=3, inner_rate=0.2),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_dropped_create_graph(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grad = torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, create_graph=False, **k: grad(*a, **k))
    assert learners.meta_gap(METHODS[name]) > 1e-3


@pytest.mark.parametrize("name", ["meta_sgd", "mamlpp"])
def test_rates_that_are_constants(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at = Network.rates_at
    monkeypatch.setattr(
        Network, "rates_at", lambda self, k: {n: 0.9 * r + 0.1 * r.detach() for n, r in at(self, k).items()}
    )
    assert learners.meta_gap(METHODS[name], part="rates.") > 1e-2


def test_rates_of_another_step_at_test_time(monkeypatch: pytest.MonkeyPatch) -> None:
    method = METHODS["mamlpp"]
    net, tasks = learners.build(method), learners.made_tasks()
    learners.train(method, net)
    honest = learners.adapted(method.adaptation(), net, tasks)(tasks.query_x)
    at = Network.rates_at
    monkeypatch.setattr(Network, "rates_at", lambda self, k: at(self, 0))
    assert not torch.allclose(learners.adapted(method.adaptation(), net, tasks)(tasks.query_x), honest, atol=1e-4)


def test_features_without_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = anil.head_losses
    monkeypatch.setattr(anil, "head_losses", lambda network, z, y: honest(network, z.detach(), y))
    assert learners.meta_gap(METHODS["anil"]) > 1e-3


@pytest.mark.parametrize("name", ["maml, 5 steps", "mamlpp"])
def test_a_query_loss_that_counts_twice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = descending.query_gradients
    monkeypatch.setattr(descending, "query_gradients", lambda *a: honest(*a[:-1], 2 * a[-1]))
    assert learners.meta_gap(METHODS[name]) > 1e-1


def test_a_gradient_that_goes_to_the_wrong_task(monkeypatch: pytest.MonkeyPatch) -> None:
    assert descents.pass_gap(METHODS["maml, 5 steps"]) < 1e-6
    honest = descending.query_gradients

    def rolled(*given: Any) -> Any:
        value, tape, gradients = honest(*given)
        if not inner_loop.in_one_pass(given[3]):
            gradients = {k: g.roll(1, 0) for k, g in gradients.items()}
        return value, tape, gradients

    monkeypatch.setattr(descending, "query_gradients", rolled)
    assert descents.pass_gap(METHODS["maml, 5 steps"]) > 1e-4


def test_threads_with_parameters_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_pass, "with_the_same_tensors", deepcopy)
    assert descents.thread_gap(METHODS["boil"]) > 1e-4


def test_threads_that_write_to_one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = inner_loop.functional_call

    def waits(net: nn.Module, params: Params, args: tuple[Tensor, ...]) -> Any:
        handle = net.register_forward_pre_hook(lambda *given: time.sleep(0.02))  # with the weights in their places
        try:
            return honest(net, params, args)
        finally:
            handle.remove()

    monkeypatch.setattr(inner_loop, "functional_call", waits)
    method = Maml(train=DIET)
    assert descents.thread_gap(method, 2) < 1e-12
    monkeypatch.setattr(query_pass, "with_the_same_tensors", lambda net: net)
    assert descents.thread_gap(method, 2) > 1e-4


def test_fomaml_that_is_maml(monkeypatch: pytest.MonkeyPatch) -> None:
    assert descents.hessian_gap() < 1e-5
    monkeypatch.setattr(FoMaml, "order_at", lambda self, progress: 2)
    assert not descents.hessian_gap() < 1e-5


def test_maml_of_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = descending.sgd
    monkeypatch.setattr(descending, "sgd", lambda rate: honest(1.01 * rate))
    assert descents.hessian_gap() > 1e-3


def test_linear_regression_with_another_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    assert descents.regression_gap() < 1e-12
    honest = descents.sgd
    monkeypatch.setattr(descents, "sgd", lambda rate: honest(1.01 * rate))
    assert descents.regression_gap() > 1e-3


def test_moments_that_carry_over_where_they_should_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learners.reptile_gap(carry="none") < 1e-10
    fresh = Network.adam_state

    def used(self: Network) -> AdamState:
        second, updates = fresh(self)
        return {k: v + 1e-4 for k, v in second.items()}, updates + 1

    monkeypatch.setattr(Network, "adam_state", used)
    assert learners.reptile_gap(carry="none") > 1e-4


def test_a_second_derivative_of_normalisation_that_lacks_a_term(monkeypatch: pytest.MonkeyPatch) -> None:
    method = METHODS["maml, 5 steps"]
    honest = by_task._combined
    monkeypatch.setattr(by_task, "_combined", lambda plus, *terms: honest(plus, *terms[:2]))  # of three
    assert learners.meta_gap(method) > 1e-3


def test_patches_that_are_put_back_a_pixel_off(monkeypatch: pytest.MonkeyPatch) -> None:
    method = METHODS["maml, 5 steps"]
    honest = patches._Fold.forward
    monkeypatch.setattr(patches._Fold, "forward", staticmethod(lambda *a: honest(*a).roll(1, -1)))
    assert learners.meta_gap(method) > 1e-3
