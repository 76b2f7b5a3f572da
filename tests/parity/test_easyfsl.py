"""Prototypes against easyfsl's, on the same episodes; run where it can be imported."""

import pytest
import torch
from conftest import unavailable
from parity import easyfsl_peer
from torch import Tensor, nn

from robustmeta.backbones.conv4 import Conv4
from robustmeta.core import Domain, TaskShape, sample
from robustmeta.domains.glyphs import Glyphs
from robustmeta.functional.prototypes import prototypes
from robustmeta.methods.protonet import ProtoNet
from robustmeta.sources import library, owner
from robustmeta.study.validate import Validator

pytestmark = pytest.mark.parity
SHAPE = TaskShape(5, 5, 10)


@pytest.fixture(autouse=True)
def easyfsl() -> None:
    if owner("easyfsl") is None:
        unavailable(f"{library('easyfsl')}; .ci/parity installs it")


@pytest.fixture(scope="module")
def domain() -> Domain:
    return Glyphs(split="test").load(28, 1)


@pytest.fixture
def net() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ProtoNet().build(Conv4(width=16), 28, 1, 5).eval()


def wrong_share(net: nn.Module, domain: Domain) -> float:
    """The share of queries on which it and ours disagree whether they are right."""
    episodes = sample(domain, SHAPE, 0, 0, 100)
    validator = Validator(domain, episodes, 0, Conv4(width=16))
    ours = validator.right(net, ProtoNet().adaptation(), episodes, {}, lambda _: None)
    theirs = (easyfsl_peer.predictions(net, domain, episodes) == episodes.query_y).flatten().numpy()
    assert 0.3 < theirs.mean() < 0.95
    return float((ours != theirs).mean())


def test_the_same_queries_are_right(net: nn.Module, domain: Domain) -> None:
    assert wrong_share(net, domain) < 1e-3  # what rounding may decide


def test_another_mean_is_seen(net: nn.Module, domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    def sums(z: Tensor, y: Tensor, way: int) -> tuple[Tensor, Tensor]:
        centres, there = prototypes(z, y, way)
        return 1.1 * centres, there

    monkeypatch.setattr("robustmeta.adaptations.prototypes.prototypes", sums)
    assert wrong_share(net, domain) > 1e-3


def test_its_two_modes_agree(net: nn.Module, domain: Domain) -> None:
    found = [mode(net, domain, SHAPE, 20) for mode in (easyfsl_peer.loop, easyfsl_peer.precomputed)]
    assert found[0] == pytest.approx(found[1], abs=2e-3)
