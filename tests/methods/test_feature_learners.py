"""Methods that learn features for a head: their losses are the papers', and their heads' numbers are learned along."""

import head_references as references
import learners
import pytest
import torch
from torch import nn

from robustmeta.adaptations.matching import Matching
from robustmeta.heads.relation import RelationHead
from robustmeta.methods.matching import MatchingNet
from robustmeta.methods.r2d2 import R2D2
from robustmeta.methods.relation import RelationNet
from robustmeta.nets import Norm

TASKS = {"way": 3, "shot": 2, "query": 2, "tasks": 2}


@pytest.mark.parametrize("name", references.EXPECTED)
def test_the_loss_of_a_step_is_the_papers(name: str) -> None:
    assert references.loss_gap(name) < 1e-10


def test_r2d2_starts_from_its_fields() -> None:
    head = learners.build(R2D2(train=TASKS, ridge=7.0, scale=3.0)).head  # type: ignore[arg-type]
    assert head.log_ridge.exp().item() == pytest.approx(7.0)
    assert (head.scale.item(), head.shift.item()) == (3.0, 0.0)


@pytest.mark.parametrize(("name", "numbers"), [("r2d2", ["log_ridge", "scale"]), ("metaoptnet", ["scale"])])
def test_the_numbers_beside_a_solver_are_learned(name: str, numbers: list[str]) -> None:
    method = learners.small(name)
    net = learners.build(method)
    before = {k: p.item() for k, p in net.head.named_parameters()}
    learners.train(method, net, 3)
    for k in numbers:
        assert net.head.get_parameter(k).item() != before[k]


def test_matching_is_evaluated_by_the_attention_it_trains() -> None:
    assert MatchingNet(distance="l2").adaptation() == Matching(distance="l2")


def test_relation_compares_the_maps_that_conv4_makes() -> None:
    method = RelationNet(train=TASKS)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        net = method.build(learners.Conv4(width=4), 28, 1, 5)
    body, x = net.body, learners.made_tasks(1).support_x[0].repeat(1, 1, 2, 2)[..., :28, :28]
    assert net.head.shape == (4, 2, 2)
    maps = nn.Sequential(*list(body.children())[:-1])(x)
    torch.testing.assert_close(body(x).unflatten(1, body.map), maps)


def test_a_body_without_maps_gives_one_pixel() -> None:
    plain = nn.Flatten()
    plain.features = 7  # type: ignore[assignment]
    head = RelationNet().head(plain)
    assert isinstance(head, RelationHead)
    assert head.shape == (7, 1, 1)


def test_the_relation_modules_averages_follow_training() -> None:
    method = learners.small("relation")
    net = learners.build(method, "batch")
    assert net.mode == "batch"
    learners.train(method, net, 2)
    norms = [m for m in net.head.modules() if isinstance(m, Norm)]
    assert len(norms) == 2
    assert all(m.running_mean.abs().sum() > 0 for m in norms)
