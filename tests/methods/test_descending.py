"""Methods that learn through inner steps: their meta-gradients, and what each does differently."""

from copy import deepcopy

import descents
import learners
import pytest
import torch
from pydantic import ValidationError

from robustmeta.adaptations.gradient import Gradient
from robustmeta.core import StudyError, copy_state
from robustmeta.functional import inner_loop, query_pass
from robustmeta.functional.normalise import batch_statistics
from robustmeta.methods.anil import Anil
from robustmeta.methods.boil import Boil
from robustmeta.methods.fomaml import FoMaml
from robustmeta.methods.maml import Maml
from robustmeta.methods.mamlpp import MamlPp
from robustmeta.methods.meta_sgd import MetaSgd
from robustmeta.rng import Rng
from robustmeta.study.precision import forward_passes

RNG = Rng(0, ("train",), [0])
DIET = learners.DIET
SMALL = {
    "maml, 1 step": Maml(train=DIET, inner_rate=0.5),
    "maml, 5 steps": Maml(train=DIET, inner_steps=5, inner_rate=0.2),
    "maml, 5 steps, recomputed": Maml(train=DIET, inner_steps=5, inner_rate=0.2, checkpoint=True),
    "anil": Anil(train=DIET, inner_steps=3, inner_rate=0.5),
    "boil": Boil(train=DIET, inner_steps=2, inner_rate=0.3),
    "meta_sgd": MetaSgd(train=DIET, inner_steps=2, inner_rate=0.3),
    "mamlpp": MamlPp(train=DIET, inner_steps=3, inner_rate=0.2),
}


@pytest.mark.parametrize("name", SMALL)
def test_meta_gradient_is_the_finite_difference(name: str) -> None:
    assert learners.meta_gap(SMALL[name]) < 1e-6
    assert learners.meta_gap(SMALL[name], "batch", progress=0.05) < 1e-6


@pytest.mark.parametrize("name", ["meta_sgd", "mamlpp"])
def test_the_derivative_by_the_learned_rates_alone(name: str) -> None:
    assert learners.meta_gap(SMALL[name], part="rates.") < 1e-6
    assert learners.meta_gap(SMALL[name], "per_step", part="rates.") < 1e-6


def test_multi_step_losses_under_normalisation_by_step() -> None:
    assert learners.meta_gap(SMALL["mamlpp"], "per_step", progress=0.05) < 1e-6


def test_one_step_of_linear_regression_has_the_closed_form() -> None:
    assert descents.regression_gap() < 1e-12


def test_fomaml_is_maml_without_the_hessian() -> None:
    assert descents.hessian_gap() < 1e-5
    assert learners.meta_gap(FoMaml(train=DIET, inner_rate=0.5)) > 1e-3


def test_fomaml_is_maml_of_order_one() -> None:
    nets = []
    for method in (FoMaml(train=DIET, inner_steps=2), Maml(train=DIET, inner_steps=2, order=1)):
        nets.append(learners.build(method))
        method.backward(nets[-1], learners.made_tasks(), RNG)
    for p, q in zip(*(n.parameters() for n in nets), strict=True):
        assert torch.equal(p.grad, q.grad)


@pytest.mark.parametrize("name", SMALL)
def test_tasks_in_one_pass_and_one_by_one(name: str) -> None:
    assert descents.pass_gap(SMALL[name]) < 1e-6


@pytest.mark.parametrize("name", ["maml, 5 steps", "boil", "mamlpp"])
def test_tasks_that_threads_share(name: str) -> None:
    assert descents.thread_gap(SMALL[name]) < 1e-12


def test_a_forward_pass_that_was_replaced_is_not_shared_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    method = SMALL["maml, 1 step"]
    net, copies = learners.build(method), []
    monkeypatch.setattr(query_pass, "with_the_same_tensors", lambda n: copies.append(n) or deepcopy(n))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with inner_loop.forced(batched=False):
            method.backward(net, learners.made_tasks(), RNG)
            assert len(copies) == 2
            with forward_passes(net, "bf16"):
                method.backward(net, learners.made_tasks(), RNG)
    finally:
        torch.set_num_threads(before)
    assert len(copies) == 2


def kept(method: Maml) -> int:
    """Bytes that the graph of the inner loop holds on to when the query comes."""
    held: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: held.append(t.nbytes) or t, lambda t: t):
        method._trail(learners.build(method), learners.made_tasks(), 2, {}, RNG)
    return sum(held)


def test_recomputed_steps_are_the_same_in_less_memory() -> None:
    plain, recomputed = SMALL["maml, 5 steps"], SMALL["maml, 5 steps, recomputed"]
    found = []
    for method in (plain, recomputed):
        net = learners.build(method).double()
        method.backward(net, learners.made_tasks(dtype=torch.float64), RNG)
        found.append([p.grad for p in net.parameters()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-10)
    assert kept(recomputed) < kept(plain) / 20


def test_recomputed_steps_are_followed_once_by_the_averages_of_each_step() -> None:
    states = []
    for name in ("maml, 5 steps", "maml, 5 steps, recomputed"):
        net = learners.build(SMALL[name], "per_step").double()
        SMALL[name].backward(net, learners.made_tasks(dtype=torch.float64), RNG)
        states.append(copy_state(net))
    for k, v in states[0].items():
        torch.testing.assert_close(v, states[1][k], atol=1e-12, rtol=1e-10)


def test_anil_computes_features_once() -> None:
    method = Anil(train=DIET, inner_steps=7)
    net, seen = learners.build(method), []
    net.body.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    with inner_loop.forced(batched=False):
        method.backward(net, learners.made_tasks(), RNG)
        learners.adapted(method.adaptation(), net, learners.made_tasks())
    assert seen == [6] * 6  # two supports, two queries; two supports


@pytest.mark.parametrize("norm", ["auto", "batch", "support_plus_one"])
def test_a_head_that_adapts_alone_does_so_as_the_whole_network_would(norm: str) -> None:
    net, tasks = learners.build(Maml(train=DIET), norm).double(), learners.made_tasks(dtype=torch.float64)
    adaptation = Gradient(steps=3, rate=0.4, layers="head")
    got = learners.adapted(adaptation, net, tasks)(tasks.query_x)
    whole = Gradient(steps=3, rate=0.4, layers="head", batch=6)  # a mini-batch of all images takes the general way
    torch.testing.assert_close(got, learners.adapted(whole, net, tasks)(tasks.query_x), atol=1e-10, rtol=1e-8)


def test_boil_leaves_the_head_in_the_inner_loop_and_moves_it_in_the_outer() -> None:
    method = Boil(train=DIET, inner_steps=2)
    net = learners.build(method)
    classifier = learners.adapted(method.adaptation(), net, learners.made_tasks())
    assert all(k.startswith("body.") for k in classifier.own)  # type: ignore[attr-defined]
    before = copy_state(net)
    learners.train(method, net, 1)
    assert not torch.equal(net.head.weight, before["head.weight"])


@pytest.mark.parametrize("name", ["meta_sgd", "mamlpp"])
def test_rates_are_learned_and_kept_with_the_network(name: str) -> None:
    method = SMALL[name]
    net = learners.build(method)
    names = {k for k in net.state_dict() if k.startswith("rates.")}
    assert names == {f"rates.{k.replace('.', '/')}" for k in net.parts("all")[1]}
    assert not any("rates" in k for part in net.parts("all") for k in part)
    learners.train(method, net, 3)
    rates = net.rates_at(0)["body.block0.conv.weight"]
    assert rates.shape == (net.body[0].conv.weight.shape if name == "meta_sgd" else ())  # type: ignore[index,union-attr]
    assert not torch.allclose(rates, torch.tensor(method.inner_rate), atol=1e-4)
    fresh = learners.build(method, seed=1)
    fresh.load_state_dict(net.state_dict())
    tasks = learners.made_tasks()
    a, b = (learners.adapted(method.adaptation(), n, tasks)(tasks.query_x) for n in (net, fresh))
    assert torch.equal(a, b)


def test_later_steps_use_the_last_rates() -> None:
    method = MamlPp(train=DIET, inner_steps=2, inner_rate=0.3)
    net, tasks = learners.build(method).double(), learners.made_tasks(1, dtype=torch.float64)
    with torch.no_grad():
        for i, rate in enumerate(net.rates.values()):
            rate.copy_(torch.tensor([0.1 + 0.01 * i, 0.4 - 0.01 * i]))
    got = learners.adapted(Gradient(steps=4, rate="learned"), net, tasks)(tasks.query_x)[0]
    rates = {k.replace("/", "."): v.tolist() for k, v in net.rates.items()}
    for k in range(4):
        own = dict(net.live_parts("all")[1])
        logits = learners.plain_network(net, tasks.support_x[0])
        loss = torch.nn.functional.cross_entropy(logits, tasks.support_y[0])
        slopes = torch.autograd.grad(loss, list(own.values()))
        with torch.no_grad():
            for (name, p), g in zip(own.items(), slopes, strict=True):
                p -= rates[name][min(k, 1)] * g
    with batch_statistics() as statistics:
        net(tasks.support_x[0])
    with inner_loop.given_statistics(statistics):
        torch.testing.assert_close(got, net(tasks.query_x[0]).detach(), atol=1e-8, rtol=1e-8)


def test_learned_rates_need_a_network_that_has_learnt_them() -> None:
    net = learners.build(Maml(train=DIET))
    with pytest.raises(StudyError, match="has learnt no rates for its all layers; give rate a number"):
        learners.adapted(Gradient(rate="learned"), net, learners.made_tasks())
    with pytest.raises(ValidationError, match="expected optimiser sgd, or a number for rate"):
        Gradient(rate="learned", optimiser="adam")
    with pytest.raises(ValidationError):
        Gradient(rate=0.0)


def test_the_losses_of_earlier_steps_fade_over_the_first_tenth() -> None:
    method = MamlPp(train=DIET, inner_steps=4)
    assert method.importance(0.0) == pytest.approx([0.25] * 4)
    assert method.importance(0.05) == pytest.approx([0.125, 0.125, 0.125, 0.625])
    assert method.importance(0.1) == method.importance(0.7) == pytest.approx([0, 0, 0, 1])
    assert MamlPp(train=DIET, inner_steps=4, multi_step=0).importance(0.0) == [0, 0, 0, 1]
    tasks, later = learners.made_tasks(), learners.build(method)
    assert method.backward(later, tasks, RNG, 0.5).passes < method.backward(later, tasks, RNG).passes


def test_derivatives_are_of_first_order_at_first() -> None:
    method = MamlPp(train=DIET, inner_steps=2, first_order=0.5)
    assert [method.order_at(p) for p in (0.0, 0.49, 0.5, 1.0)] == [1, 1, 2, 2]
    assert learners.meta_gap(method, progress=0.4) > 1e-3
    assert learners.meta_gap(method, progress=0.6) < 1e-6
