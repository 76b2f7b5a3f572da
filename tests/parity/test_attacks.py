"""Our attacks against torchattacks and foolbox: the same steps, and no less strength for the same budget."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import unavailable
from parity.attack_peers import (
    RADII,
    OneTask,
    Subjects,
    contiguous,
    foolbox,
    hold_strength,
    hold_trajectory,
    ours,
    peer_ensemble,
    peer_foolbox,
    peer_members,
    peer_momentum,
    peer_pgd,
    standing,
    subjects,
    torchattacks,
    trained,
)
from torch import Tensor, nn

from robustmeta.attacks.apgd import APGD
from robustmeta.attacks.apgd_t import APGDT
from robustmeta.attacks.autoattack import AutoAttack
from robustmeta.attacks.fab import FAB
from robustmeta.attacks.pgd import PGD
from robustmeta.attacks.search import Search
from robustmeta.attacks.square import Square
from robustmeta.functional.projection import BALLS
from robustmeta.rng import Rng

pytestmark = pytest.mark.parity

STEPS, QUERIES, POINTS, TARGETS = 100, 500, 100, 4
KINDS = ("plain", "adversarial")
MEMBERS: dict[str, Callable[[str], Search]] = {
    "apgd": lambda norm: APGD.model_validate({"norm": norm, "steps": STEPS}),
    "apgd_t": lambda norm: APGDT.model_validate({"norm": norm, "steps": STEPS, "targets": TARGETS}),
    "fab": lambda norm: FAB.model_validate({"norm": norm, "steps": STEPS, "targets": TARGETS}),
    "square": lambda norm: Square.model_validate({"norm": norm, "queries": QUERIES}),
}


@pytest.fixture(scope="session", autouse=True)
def _peers() -> None:
    try:
        torchattacks(), foolbox()
    except ImportError as error:
        unavailable(f"no published attacks to compare with ({error}); .ci/parity installs them")


@pytest.fixture(scope="session")
def everything(data_dir: Path) -> Subjects:
    return subjects(data_dir)


@pytest.fixture(scope="session")
def models(everything: Subjects) -> dict[str, nn.Module]:
    """Trained once a session."""
    return {kind: trained(kind, everything) for kind in KINDS}


class Watched(nn.Module):
    """A module that keeps what it is asked."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.asked.append(x.detach().clone())
        return self.net(x)


PATHS: list[tuple[str, str, dict[str, Any]]] = [
    ("torchattacks", "linf", {}),
    ("torchattacks", "l2", {}),
    ("foolbox", "linf", {}),
    ("foolbox", "l2", {}),
    ("momentum", "linf", {"momentum": 1.0}),
]


def paths(peer: str, norm: str, fields: dict[str, Any], net: nn.Module, on: Subjects, eps: float) -> Any:
    """The points that both looked at, from the clean query, in float64: no sign hangs on the last bit."""
    net, on = contiguous(net).double(), Subjects(on.x.double(), on.y)
    asked: list[Tensor] = []
    watched = Watched(net).eval()  # a peer puts a module in training mode that was in it
    given = {"norm": norm, "steps": 20, "random_start": False, "leave": False, **fields}
    keys = torch.arange(len(on.y))[None].numpy()
    PGD.model_validate(given).perturb(OneTask(net, asked=asked), on.x[None], on.y[None], eps, Rng(0, ("path",), keys))
    attack = {
        "torchattacks": lambda: peer_pgd(watched, eps, 20, norm=norm, random_start=False),
        "foolbox": lambda: peer_foolbox(watched, eps, 20, norm),
        "momentum": lambda: peer_momentum(watched, eps, 20),
    }[peer]()
    last = attack(on.x, on.y)
    return asked[1:], [*watched.asked[-20:], last]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("peer", "norm", "fields"), PATHS, ids=str)
def test_pgd_takes_the_same_path(
    peer: str, norm: str, fields: dict[str, Any], kind: str, models: dict[str, nn.Module], everything: Subjects
) -> None:
    hold_trajectory(*paths(peer, norm, fields, models[kind], everything.some(20), RADII[kind][norm]))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MEMBERS)
def test_no_attack_is_weaker(
    name: str, kind: str, norm: str, models: dict[str, nn.Module], everything: Subjects
) -> None:
    net, on, eps = models[kind], everything.some(POINTS), RADII[kind][norm]
    mine = standing(net, ours(MEMBERS[name](norm), net, on, eps), on, norm, eps)
    other = standing(net, peer_members(net, norm, eps, STEPS, QUERIES, TARGETS)[name](on.x, on.y), on, norm, eps)
    hold_strength(mine, other)
    assert 0 < float(other.float().mean()) < 1, "the radius tells nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_the_ensemble_is_not_weaker(kind: str, models: dict[str, nn.Module], everything: Subjects) -> None:
    net, on, eps = models[kind], everything.some(POINTS), RADII[kind]["linf"]
    mine = ours(AutoAttack(steps=STEPS, queries=QUERIES, targets=TARGETS), net, on, eps)
    other = peer_ensemble(net, "linf", eps, STEPS, QUERIES, TARGETS)(on.x, on.y)
    hold_strength(standing(net, mine, on, "linf", eps), standing(net, other, on, "linf", eps))


@pytest.mark.parametrize("name", ["sign", "step", "order"])
def test_a_fault_in_the_path(
    name: str, models: dict[str, nn.Module], everything: Subjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    ball = BALLS["l2"]
    faults = {
        "sign": replace(ball, steepest=lambda g: -ball.steepest(g)),
        "step": replace(ball, steepest=lambda g: 1.001 * ball.steepest(g)),
        "order": replace(ball, project=lambda d, eps: ball.project(d, eps * (1 - 1e-3))),
    }
    monkeypatch.setitem(BALLS, "l2", faults[name])
    with pytest.raises(AssertionError, match="they differ by"):
        hold_trajectory(*paths("torchattacks", "l2", {}, models["plain"], everything.some(20), RADII["plain"]["l2"]))


def test_a_weaker_attack(models: dict[str, nn.Module], everything: Subjects) -> None:
    net, on, eps = models["adversarial"], everything.some(POINTS), RADII["adversarial"]["linf"]
    other = standing(net, peer_pgd(net, eps, 20)(on.x, on.y), on, "linf", eps)
    hold_strength(standing(net, ours(PGD(steps=20), net, on, eps), on, "linf", eps), other)
    weak = standing(net, ours(PGD(steps=1, step_size=0.3), net, on, eps), on, "linf", eps)
    with pytest.raises(AssertionError, match="points more standing"):
        hold_strength(weak, other)
