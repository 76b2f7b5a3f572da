"""The other methods against their papers written out."""

import learners
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from robustmeta.functional.normalise import batch_statistics
from robustmeta.methods.supervised import Supervised
from robustmeta.rng import Rng

TRAINED = sorted(set(learners.builtin("methods")) - {"scratch"})
LIKE_MAML = ("anil", "boil", "fomaml", "mamlpp", "meta_sgd")
RNG = Rng(0, ("train",), [0])


@pytest.mark.parametrize("carry", ["sequential", pytest.param("none", marks=pytest.mark.slow)])
def test_twenty_updates_of_reptile_are_those_of_the_published_algorithm(carry: str) -> None:
    assert learners.reptile_gap(20, carry) < 1e-10


def test_reptile_keeps_its_moments_with_the_weights() -> None:
    method = learners.small("reptile")
    net = learners.build(method)
    learners.train(method, net)
    state = net.state_dict()
    assert state["updates"] == 3 * 2 * 4
    assert state["second"].count_nonzero() > 0
    fresh = learners.build(method, seed=1)
    fresh.load_state_dict(state)
    tasks = learners.made_tasks()
    a, b = (learners.adapted(method.adaptation(), n, tasks)(tasks.query_x) for n in (net, fresh))
    assert torch.equal(a, b)


def test_protonet_loss_is_the_papers() -> None:
    method, tasks = learners.small("protonet"), learners.made_tasks(1)
    net = learners.build(method)
    loss = method.backward(net, tasks, RNG).loss
    x = torch.cat([tasks.support_x[0], tasks.query_x[0]])
    with batch_statistics():
        z = net(x).detach()
    support, query = z[: len(tasks.support_y[0])], z[len(tasks.support_y[0]) :]
    centres = torch.stack([support[tasks.support_y[0] == k].mean(0) for k in range(3)])
    expected = F.cross_entropy(-(torch.cdist(query, centres) ** 2), tasks.query_y[0])
    assert loss == pytest.approx(float(expected), abs=1e-4)


def test_supervised_follows_batch_statistics() -> None:
    method = learners.small("supervised")
    net, batch = learners.build(method), learners.made_batch()
    mean = net.norms["body.block0.norm"].running_mean.clone()
    loss = method.backward(net, batch, RNG).loss
    with batch_statistics():
        assert loss == pytest.approx(F.cross_entropy(net(batch.x), batch.y).item())
    conv = F.conv2d(batch.x, net.get_parameter("body.block0.conv.weight"), stride=2, padding=1).mean((0, 2, 3))
    torch.testing.assert_close(
        net.norms["body.block0.norm"].running_mean, 0.9 * mean + 0.1 * conv, atol=1e-6, rtol=1e-5
    )
    with pytest.raises(ValidationError, match="batch >= 2, got 0"):
        Supervised(train={"batch": 0})


@pytest.mark.parametrize("name", ["protonet", "supervised"])
def test_the_wrong_kind_of_batch_is_refused(name: str) -> None:
    method = learners.small(name)
    wrong = learners.made_batch() if name == "protonet" else learners.made_tasks()
    with pytest.raises(TypeError, match="diet asks for"):
        method.backward(learners.build(method), wrong, RNG)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LIKE_MAML)) for n in TRAINED])
def test_a_few_steps_lower_the_loss(name: str) -> None:
    method = learners.small(name)
    losses = learners.train(method, learners.build(method, width=8), 30)
    assert sum(losses[-3:]) < sum(losses[:3])
