"""Adversarial training against its written-out form, and what it must leave alone."""

import math
from typing import Any

import adversaries
import learners
import pytest
import torch
from adversaries import build, gap, meal, natural, small, step_rng, stepped
from pydantic import ValidationError

from robustmeta.core import CellError, copy_state
from robustmeta.methods.adversary import Adversary
from robustmeta.methods.maml import Maml
from robustmeta.methods.mann import MannLearner
from robustmeta.methods.protonet import ProtoNet
from robustmeta.registry import builtin
from robustmeta.study.precision import forward_passes

TRAINED = sorted(set(builtin("methods")) - {"scratch"})
INNER = ("anil", "boil", "fomaml", "maml", "mamlpp", "meta_sgd", "reptile")
UNPAIRED = ("lstm", "mann", "reptile")
ADVERSARIES: list[dict[str, Any]] = [{}, {"norm": "l2"}, {"place": "both"}, {"loss": "trades"}]
ADVERSARIES.append({"place": "both", "loss": "trades"})
TAKEN = [
    (name, given)
    for name in TRAINED
    for given in ADVERSARIES
    if ("place" not in given or name in INNER) and ("loss" not in given or name not in UNPAIRED)
]
"""In every run all meet the plain adversary; maml and protonet, an inner loop and none, meet the others."""


@pytest.mark.parametrize("loss", ["cross_entropy", "trades"])
@pytest.mark.parametrize("check", [adversaries.protonet_gap, adversaries.supervised_gap])
def test_a_step_is_the_one_written_out(check: Any, loss: str) -> None:
    assert check(loss) < 1e-9


@pytest.mark.parametrize("loss", ["cross_entropy", "trades"])
@pytest.mark.parametrize("place", ["query", "both"])
def test_r_maml_is_the_one_written_out(place: str, loss: str) -> None:
    assert adversaries.maml_gap(place, loss=loss) < 1e-9


def test_the_slope_of_trades_is_that_of_its_loss() -> None:
    assert adversaries.trades_slope_gap() < 1e-5


NOTHING = [(name, {"eps": 0}) for name in TRAINED] + [("protonet", {"steps": 0}), ("supervised", {"steps": 0})]
NOTHING += [("maml", {"eps": 0, "place": "both"}), ("maml", {"steps": 0, "loss": "trades"})]


@pytest.mark.parametrize(("name", "nothing"), NOTHING)
def test_an_adversary_that_does_nothing_is_natural_training(name: str, nothing: dict[str, Any]) -> None:
    method = small(name, **nothing)
    plain = learners.small(name)
    nets = [learners.build(plain) for _ in range(2)]
    stats = [m.backward(net, learners.meal(plain), step_rng()) for m, net in zip((method, plain), nets, strict=True)]
    assert stats[0] == stats[1]
    assert (method.passes(), method.gradient_passes()) == (plain.passes(), plain.gradient_passes())
    for p, q in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(p.grad, q.grad)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_attacked_images_are_within_the_ball_and_in_range(norm: str) -> None:
    assert adversaries.excess(norm) <= 1e-12
    assert adversaries.harm(norm) > 0


@pytest.mark.parametrize(
    ("name", "given"),
    [pytest.param(n, g, marks=[pytest.mark.slow] * (n not in ("maml", "protonet") and len(g) > 0)) for n, g in TAKEN],
)
def test_a_step_of_every_method_and_what_it_takes(name: str, given: dict[str, Any]) -> None:
    method = small(name, **given)
    measured, reported, said = adversaries.counted(method)
    assert measured == reported == said
    net, twin = learners.build(method), learners.build(method)
    before, drawn = copy_state(net), torch.get_rng_state()
    stats = method.backward(net, learners.meal(method), step_rng())
    assert stats == method.backward(twin, learners.meal(method), step_rng())
    assert torch.equal(torch.get_rng_state(), drawn)
    for (k, p), q in zip(net.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(p, before[k])
        assert p.grad is not None
        assert p.grad.isfinite().all()
        assert torch.equal(p.grad, q.grad)
    assert any(p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("name", ["protonet", "mann", "maml", "supervised", "reptile"])
def test_each_step_has_its_own_draws(name: str) -> None:
    """The same step gives the same gradient, another step on the same images another."""
    method = small(name)
    first, same, other = (stepped(method, build(method), meal(method), step)[0] for step in (3, 3, 4))
    assert gap(same, first) == 0
    assert gap(other, first) > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["auto", "batch", "support_plus_one", "per_step", "group", "none"])
@pytest.mark.parametrize(
    ("name", "place"), [("mamlpp", "both"), ("anil", "query"), ("protonet", "query"), ("mann", "query")]
)
def test_every_normalisation(name: str, place: str, norm: str) -> None:
    grads, _ = stepped(small(name, place=place), build(small(name), norm), meal(small(name)))
    assert all(g.isfinite().all() for g in grads.values())


def test_the_support_stays_clean_and_the_network_untouched() -> None:
    method = small("protonet")
    net, tasks = build(method), meal(method)
    sentinel = [torch.ones_like(p) for p in net.parameters()]
    for p, g in zip(net.parameters(), sentinel, strict=True):
        p.grad = g
    before = copy_state(net)
    made, _ = method.attacked(net, tasks, step_rng())
    assert made.support_x is tasks.support_x
    assert not torch.equal(made.query_x, tasks.query_x)
    assert not made.query_x.requires_grad
    assert all(p.grad is g and (g == 1).all() for p, g in zip(net.parameters(), sentinel, strict=True))
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


@pytest.mark.parametrize(("place", "clean"), [("query", True), ("both", False)])
def test_inner_steps_see_the_clean_support_unless_asked(
    place: str, clean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robustmeta.methods import descending

    seen, original = list[torch.Tensor](), descending.support_losses

    def losses(net: Any, shared: Any, x: torch.Tensor, *rest: Any, **options: Any) -> Any:
        seen.append(x)
        return original(net, shared, x, *rest, **options)

    monkeypatch.setattr(descending, "support_losses", losses)
    method = small("maml", place=place)
    tasks = meal(method)
    stepped(method, build(method), tasks)
    assert torch.equal(seen[-1], tasks.support_x) == clean
    assert (seen[-1] - tasks.support_x).abs().max() <= adversaries.EPS + 1e-12


def test_running_averages_normalise_the_attack_and_follow_the_step_alone() -> None:
    """Batch normalisation: an attacked query does not depend on the others; averages follow what the step has seen."""
    method = small("protonet")
    net, tasks = build(method), meal(method)
    made, _ = method.attacked(net, tasks, step_rng())
    alone = adversaries.replace_tasks(
        tasks, tasks.support_x, tasks.support_y, tasks.query_x[:, 2:3], tasks.query_y[:, 2:3]
    )
    torch.testing.assert_close(method.attacked(net, alone, step_rng())[0].query_x[:, 0], made.query_x[:, 2])
    twin = build(method)
    stepped(method, net, tasks)
    stepped(natural(method), twin, made)
    for a, b in zip(net.buffers(), twin.buffers(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("name", "norm", "given"),
    [
        ("maml", "auto", {}),
        ("maml", "auto", {"place": "both"}),
        ("anil", "auto", {"loss": "trades"}),
        ("protonet", "none", {}),
        ("cnp", "group", {"loss": "trades"}),
    ],
)
def test_tasks_stay_apart(name: str, norm: str, given: dict[str, Any]) -> None:
    """So that processes can share a step: its gradient is the mean of what its tasks give by themselves."""
    assert adversaries.sharing_gap(name, norm, **given) < 1e-9


@pytest.mark.parametrize("name", TRAINED)
def test_half_precision(name: str) -> None:
    method = small(name)
    net = learners.build(method)
    with forward_passes(net, "bf16"):
        assert math.isfinite(method.backward(net, learners.meal(method), step_rng()).loss)
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_inner_steps_that_are_computed_again_meet_the_same_images() -> None:
    found = []
    for again in (False, True):
        method = Maml(
            train=learners.DIET, inner_steps=3, adversary={**adversaries.FOE, "place": "both"}, checkpoint=again
        )
        found.append(stepped(method, build(method), meal(method)))
    assert found[0][1] == found[1][1]
    assert gap(found[1][0], found[0][0]) < 1e-12


def test_a_diverged_network_is_an_error_of_the_cell() -> None:
    method = small("supervised")
    net = build(method)
    with torch.no_grad():
        next(net.parameters()).fill_(float("nan"))
    with pytest.raises(CellError, match="not finite"):
        stepped(method, net, meal(method))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValidationError, match="protonet takes no inner steps on its support; gradient-based methods"):
        ProtoNet(adversary={"place": "both"})
    with pytest.raises(ValidationError, match="mann has no loss on each query by itself, which trades needs"):
        MannLearner(adversary={"loss": "trades"})
    with pytest.raises(ValidationError, match="expected query >= 1; got 0"):
        MannLearner(train={"query": 0}, adversary={})
    with pytest.raises(ValidationError, match="did you mean step_size"):
        ProtoNet(adversary={"step_siz": 1})


def test_the_published_setting_is_the_default() -> None:
    foe = Adversary()
    assert (foe.eps, foe.steps, foe.step_size * foe.eps) == (8 / 255, 7, pytest.approx(2 / 255))
    assert (foe.norm, foe.place, foe.loss, foe.beta) == ("linf", "query", "cross_entropy", 6.0)


def test_without_one_a_method_is_what_it_was() -> None:
    assert "adversary" not in ProtoNet().identity()
    assert "adversary" not in ProtoNet().model_dump()
    assert ProtoNet(adversary={}).identity()["adversary"]["steps"] == 7
    assert "adversary" not in ProtoNet(adversary=None).model_dump(mode="json")
