"""Each check of the attacks turns red on a planted fault."""

import builtins
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from attack_geometry import hold_order, hold_projection
from attack_references import hold_distance, hold_optimum, hold_worst
from torch import Tensor

from robustmeta.attacks import apgd as apgd_module
from robustmeta.attacks import apgd_t as apgd_t_module
from robustmeta.attacks import ascent as ascent_module
from robustmeta.attacks import deepfool as deepfool_module
from robustmeta.attacks import fab as fab_module
from robustmeta.attacks import pgd as pgd_module
from robustmeta.attacks.apgd import APGD
from robustmeta.attacks.apgd_t import APGDT
from robustmeta.attacks.deepfool import DeepFool
from robustmeta.attacks.fab import FAB
from robustmeta.attacks.fgsm import FGSM
from robustmeta.attacks.noise import Noise
from robustmeta.attacks.patch import Patch
from robustmeta.attacks.pgd import PGD
from robustmeta.attacks.queries import Points, Queries
from robustmeta.attacks.search import Search
from robustmeta.attacks.spatial import Spatial
from robustmeta.attacks.square import Square
from robustmeta.functional.margins import cross_entropy
from robustmeta.functional.projection import BALLS, Ball
from robustmeta.testing import check_attack


def red(attack: Search, norm: Any = None, *, coupled: bool = False) -> list[str]:
    return [f.name for f in check_attack(attack, norm, coupled=coupled) if not f.passed]


@pytest.mark.parametrize(
    ("attack", "eps"),
    [(FGSM(), 0.1), (PGD(steps=8), 0.1), (APGD(steps=10), 0.1), (PGD(norm="l2", steps=40), 0.3)],
    ids=str,
)
def test_a_sign_flipped(attack: Search, eps: float, monkeypatch: pytest.MonkeyPatch) -> None:
    norm = attack.model_dump()["norm"]
    steepest = BALLS[norm].steepest
    monkeypatch.setitem(BALLS, norm, replace(BALLS[norm], steepest=lambda g: -steepest(g)))
    with pytest.raises(AssertionError):
        hold_optimum(attack, eps, 2e-3)


def test_the_wrong_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(apgd_module.LOSSES, "ce", lambda z, y: -cross_entropy(z, y))
    with pytest.raises(AssertionError):
        hold_optimum(APGD(steps=10), 0.1, 1e-6)


def last(points: Points, x: Tensor, logits: Tensor) -> None:
    """Keeps the last version instead of the worst."""
    worst, rows = points.of.worst, points.rows
    worst.x[rows], worst.wrong[rows] = x, logits.argmax(-1) != points.y
    worst.loss[rows] = cross_entropy(logits, points.y)


@pytest.mark.parametrize(
    "attack", [PGD(steps=1, restarts=6, step_size=0.1), Noise(draws=8), Square(queries=15)], ids=str
)
def test_the_last_version_instead_of_the_worst(attack: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    hold_worst(attack, 0.1)
    monkeypatch.setattr(Points, "offer", last)
    with pytest.raises(AssertionError, match="a worse set has been seen"):
        hold_worst(attack, 0.1)


def mixed(points: Points, values: Tensor) -> Tensor:
    """Judges the queries of a coupled classifier one by one."""
    return values


def test_a_mixture_of_two_sets_of_coupled_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Points, "pool", mixed)
    with pytest.raises(AssertionError, match="has not seen"):
        hold_worst(PGD(steps=6, step_size=0.5, leave=False), 0.1)


class ClipFirst(Ball):
    """Cuts to [0, 1], and then brings into the ball."""

    def within(self, x: Tensor, candidate: Tensor, eps: float) -> Tensor:
        return x + self.project(candidate.clamp(0, 1) - x, eps)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_the_range_before_the_ball(norm: str) -> None:
    ball = BALLS[norm]
    with pytest.raises(AssertionError):
        hold_order(ClipFirst(ball.steepest, ball.project, ball.draw, ball.norm), norm)


PROJECTIONS: dict[str, tuple[str, Callable[[Ball], Callable[[Tensor, float], Tensor]]]] = {
    "none": ("linf", lambda b: lambda d, eps: d),
    "too far": ("l2", lambda b: lambda d, eps: b.project(d, 1.01 * eps)),
    "always on the edge": ("l2", lambda b: lambda d, eps: eps * d / b.norm(d)),
    "scaled": ("l1", lambda b: lambda d, eps: d * (eps / b.norm(d)).clamp(max=1)),
    "shrunk twice": ("l1", lambda b: lambda d, eps: b.project(b.project(d, eps), 0.5 * eps)),
    "scaled in the largest norm": ("linf", lambda b: lambda d, eps: d * (eps / b.norm(d)).clamp(max=1)),
}


@pytest.mark.parametrize("name", PROJECTIONS)
def test_a_wrong_projection(name: str) -> None:
    norm, fault = PROJECTIONS[name]
    ball = BALLS[norm]
    wrong = replace(ball, project=fault(ball))
    spread = 0.01 if name == "always on the edge" else 1.0
    hold_projection(ball, norm, 1.0, spread)
    with pytest.raises(AssertionError):
        hold_projection(wrong, norm, 1.0, spread)


@pytest.mark.parametrize("module", [pgd_module, ascent_module])
def test_one_step_too_few(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = {pgd_module: PGD(steps=4, random_start=False), ascent_module: APGD(norm="l2", steps=40)}[module]
    eps = 0.1 if module is pgd_module else 0.3
    tolerance = 1e-6 if module is pgd_module else 2e-3
    hold_optimum(attack, eps, tolerance)
    fewer = {pgd_module: lambda *a: builtins.range(a[-1] - 1), ascent_module: lambda a, b: builtins.range(a, a + 1)}
    monkeypatch.setattr(module, "range", fewer[module], raising=False)
    with pytest.raises(AssertionError):
        hold_optimum(attack, eps, tolerance)


@pytest.mark.parametrize("attack", [PGD(steps=2, restarts=3), APGD(steps=2, restarts=3), Noise(draws=3)], ids=str)
def test_a_restart_that_draws_what_the_first_drew(attack: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    assert starts(attack) == 3
    rng = Points.rng

    def same(points: Points, *stream: object) -> Any:
        return rng(points, *(0 if isinstance(part, int) else part for part in stream))

    monkeypatch.setattr(Points, "rng", same)
    assert starts(attack) < 3


def starts(attack: Search) -> int:
    """How many different points a query that never falls is attacked from (or looked at, for noise)."""
    from attack_references import FAR, SHAPE, Told, linear, middle, rng

    told = Told(linear(ahead=FAR))
    x, y = middle(), torch.zeros(SHAPE[:2], dtype=torch.long)
    attack.perturb(told, x, y, 0.1, rng())
    each = 2 if isinstance(attack, Noise) else 6  # sets of a look; of a start, two steps
    firsts = told.asked[2::each]
    return len({tuple(v[0].flatten().tolist()) for v in firsts})


def test_all_restarts_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    once = lambda *a: builtins.range(1)
    monkeypatch.setattr(pgd_module, "range", once, raising=False)
    assert starts(PGD(steps=1, restarts=3)) < 3


def test_wrong_distances_to_the_border(monkeypatch: pytest.MonkeyPatch) -> None:
    plane, border = fab_module.to_hyperplane, deepfool_module.nearest_border
    monkeypatch.setattr(fab_module, "to_hyperplane", lambda x, w, v, norm: 0.7 * plane(x, w, v, norm))
    monkeypatch.setattr(deepfool_module, "nearest_border", lambda w, v, norm: 0.7 * border(w, v, norm))
    for attack, beyond in ((FAB(norm="l2", steps=1), 1.051), (DeepFool(steps=1), 1.021)):
        with pytest.raises(AssertionError, match="of the distance"):
            hold_distance(attack, beyond)


def test_the_farthest_border_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepfool_module, "nearest_border", lambda w, v, norm: _farthest(w, v))
    with pytest.raises(AssertionError, match="of the distance"):
        hold_distance(DeepFool(steps=1), 1.051, way=4)


def _farthest(w: Tensor, value: Tensor) -> Tensor:
    far = (value.abs() / w.norm(dim=-1)).argmax(-1)
    at = torch.arange(len(w))
    return value[at, far].abs()[:, None] * w[at, far] / w[at, far].square().sum(-1, keepdim=True)


def test_a_target_that_is_the_class_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apgd_t_module, "aims", lambda points, rank: points.y[:, None].expand(-1, 2))
    with pytest.raises(AssertionError, match="of the distance"):
        hold_distance(APGDT(steps=20), 1.05, way=4)


@pytest.mark.parametrize("attack", [Square(queries=40), Spatial(turns=3, shifts=3), Patch(steps=5)], ids=str)
def test_an_attack_that_forgets_to_scale_with_eps(attack: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    search = type(attack).search
    monkeypatch.setattr(type(attack), "search", lambda self, queries, eps: search(self, queries, 1.0))
    found = red(attack)
    assert "norm" in found if not isinstance(attack, Spatial) else found == []
    assert attack.model_dump()["norm"] == "spatial" or found


def test_attacks_that_look_at_their_batch_mates(monkeypatch: pytest.MonkeyPatch) -> None:
    within = Ball.within
    monkeypatch.setattr(Ball, "within", lambda b, x, c, eps: within(b, x, c, eps * len(x) / (1 + len(x))))
    assert "alone" in red(PGD(steps=3))


def test_draws_that_depend_on_who_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Points.rng

    def by_place(points: Points, *stream: object) -> Any:
        return rng(points.of.everything(), *stream).at(slice(0, len(points)))

    monkeypatch.setattr(Points, "rng", by_place)
    assert "alone" in red(Square(queries=40))


def test_passes_that_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Points.look
    monkeypatch.setattr(Points, "look", lambda points, *given: (look(points, *given), look(points, *given))[0])
    for attack in (PGD(steps=3), APGD(steps=3), Square(queries=9), Noise()):
        assert "passes" in red(attack)


def test_a_field_that_is_changed_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Queries.__init__

    def aliased(queries: Queries, *given: Any) -> None:
        start(queries, *given)
        queries.worst.x = queries.x

    monkeypatch.setattr(Queries, "__init__", aliased)
    assert "loss" in red(PGD(steps=3))  # the queries themselves have become worse
