"""Attacks on supports against closed forms and exhaustive search."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from robustmeta.config.components import SupportAttack
from robustmeta.core import Card, CellError, Domain, StudyError, TaskShape, sample
from robustmeta.functional.prototypes import negative_squared_distances, prototypes
from robustmeta.rng import Rng
from robustmeta.study.poisoned import Poisoner, flags
from robustmeta.study.victims import seeds
from robustmeta.support_attacks.label_flip import LabelFlip
from robustmeta.support_attacks.poisoning import Poisoning
from robustmeta.support_attacks.seed_loss import relearn, seed_losses, seed_slope
from robustmeta.support_attacks.support_noise import SupportNoise
from robustmeta.testing.support_attacks import SmallVictim, Trial


class Flat:
    """ProtoNet on pixels as they are: class means, a linear embedding."""

    way = 2
    coupled = False

    def __call__(self, x: Tensor, y: Tensor):
        centres, _ = prototypes(x.flatten(2), y, self.way)
        return lambda q: negative_squared_distances(q.flatten(2), centres)

    def select(self, tasks):
        return self

    def hold(self, x, q):
        return partial(relearn, self, x, q)


def problem() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    draws = Rng(0, ("flat",), range(3))
    x = 0.3 + 0.4 * draws.uniform(4, 1, 2, 2).double()
    seed = 0.3 + 0.4 * draws.uniform(6, 1, 2, 2).double()
    y, seed_y = torch.tensor([[0, 0, 1, 1]] * 3), torch.tensor([[0, 0, 0, 1, 1, 1]] * 3)
    return (x + 0.1 * y[..., None, None, None], y), (seed + 0.1 * seed_y[..., None, None, None], seed_y)


def keys(tasks: int, images: int) -> Rng:
    return Rng(0, ("test",), np.arange(tasks * images).reshape(tasks, images))


def test_the_gradient_of_class_means_in_closed_form() -> None:
    """∂L/∂x_i = (2 / n_k R) Σ_r (p_rk − [y_r = k]) (q_r − c_k) for an image i of class k of n_k."""
    (x, y), (q, seed_y) = problem()
    slope = seed_slope(Flat(), x, y, (q, seed_y))
    centres, _ = prototypes(x.flatten(2), y, 2)
    p = negative_squared_distances(q.flatten(2), centres).softmax(-1)
    residual = p - torch.nn.functional.one_hot(seed_y, 2)
    by_class = torch.stack(
        [(residual[..., k, None] * (q.flatten(2) - centres[:, k, None])).sum(1) for k in range(2)], 1
    ) * (2 / 2 / 6)
    expected = by_class.gather(1, y[..., None].expand(-1, -1, 4)).view_as(x)
    torch.testing.assert_close(slope.gradient, expected)


def test_one_step_without_a_random_start_is_the_sign_of_it() -> None:
    support, seed = problem()
    gradient = seed_slope(Flat(), *support, seed).gradient
    attack = Poisoning(steps=1, step_size=1.0, random_start=False)
    moved, _ = attack.perturb(Flat(), support, seed, 0.05, keys(3, 4))
    torch.testing.assert_close(moved, support[0] + 0.05 * gradient.sign())


def test_the_best_support_that_was_seen_is_kept() -> None:
    """With steps of 8 ε the last iterate is no better than others."""
    support, seed = problem()
    losses = []

    class Watched(Flat):
        def __call__(self, x, y):
            losses.append(seed_losses(Flat(), x.detach(), y, seed))
            return super().__call__(x, y)

    attack = Poisoning(steps=6, step_size=8.0, norm="l2")
    got = attack.perturb(Watched(), support, seed, 0.3, keys(3, 4))
    assert torch.equal(seed_losses(Flat(), *got, seed), torch.stack(losses).amax(0))
    assert len(losses) == attack.runs(4, 6, 2, 0.3)[0]


@pytest.mark.parametrize("eps", [0.25, 0.5])
def test_greedy_flips_against_every_subset(eps: float) -> None:
    """The first flip is the best of all; two are at most the best pair, and at least the best single one."""
    support, seed = problem()
    got = LabelFlip().perturb(Flat(), support, seed, eps, keys(3, 4))
    losses = {n: [] for n in (1, 2)}
    for n in losses:
        for rows in combinations(range(4), n):
            y = support[1].clone()
            y[:, list(rows)] = 1 - y[:, list(rows)]
            losses[n].append(seed_losses(Flat(), support[0], y, seed))
    best = {n: torch.stack(v).amax(0) for n, v in losses.items()}
    own, flipped = seed_losses(Flat(), *got, seed), (got[1] != support[1]).sum(1)
    assert flipped.tolist() == [round(4 * eps)] * 3
    if eps == 0.25:
        assert torch.equal(own, best[1])
    else:
        assert (own <= best[2] + 1e-12).all()
        assert (own >= torch.stack(losses[2]).median(0).values).all()


@pytest.mark.parametrize(("norm", "length"), [("linf", lambda d: d.abs().amax(-1)), ("l2", lambda d: d.norm(dim=-1))])
def test_noise_lies_on_the_surface(norm: str, length) -> None:
    x, y = torch.full((3, 4, 1, 2, 2), 0.5), torch.zeros(3, 4, dtype=torch.long)
    got, _ = SupportNoise.model_validate({"norm": norm}).perturb(Flat(), (x, y), (x, y), 0.1, keys(3, 4))
    torch.testing.assert_close(length((got - x).flatten(2)), torch.full((3, 4), 0.1))


@pytest.mark.parametrize(("fraction", "images"), [(0.01, 1), (0.2, 2), (0.5, 5), (1.0, 10)])
def test_the_fraction_is_kept_and_shared_with_the_control(fraction: float, images: int) -> None:
    rng = keys(4, 10)
    chosen = Poisoning(fraction=fraction).chosen(rng)
    assert chosen.sum(1).tolist() == [images] * 4
    assert torch.equal(chosen, SupportNoise(fraction=fraction).chosen(rng))
    assert (Poisoning(fraction=1.0).chosen(rng) >= chosen).all()
    smaller = Poisoning(fraction=0.01).chosen(rng)
    assert (chosen | ~smaller).all()
    assert torch.equal(chosen[1:2], Poisoning(fraction=fraction).chosen(rng.at(slice(1, 2))))


def test_poisoning_hurts_more_than_noise() -> None:
    trials = {a.name: Trial(a, "linf", 0.1) for a in (Poisoning(), SupportNoise())}
    loss = {name: t.losses(t.perturb(t.eps)).mean() for name, t in trials.items()}
    clean = trials["poisoning"].losses(trials["poisoning"].support).mean()
    assert loss["poisoning"] - clean > 3 * abs(loss["support_noise"] - clean)


def blank(sizes: list[int]) -> Domain:
    n = sum(sizes)
    names = tuple(f"class-{i}" for i in range(len(sizes)))
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    ids = np.arange(n, dtype=np.uint64) * np.uint64(7919)
    return Domain("blank", torch.zeros(n, 1, 2, 2, dtype=torch.uint8), labels, names, ids, {}, Card("", "", ""))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(4, 12), min_size=3, max_size=6), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5))
def test_seeds_are_of_the_same_classes_and_of_no_other_part(sizes: list[int], shot: int, query: int, each: int) -> None:
    domain = blank(sizes)
    try:
        episodes = sample(domain, TaskShape(3, shot, query), 0, 0, 5)
        rows, y = seeds(domain, episodes, each, 0)
    except (StudyError, CellError):
        return
    assert rows.shape == y.shape == (5, 3 * each)
    for t in range(5):
        own = set(rows[t].tolist())
        assert len(own) == 3 * each
        assert not own & (set(episodes.support[t].tolist()) | set(episodes.query[t].tolist()))
        classes = {int(k): int(domain.labels[r]) for r, k in zip(episodes.query[t], episodes.query_y[t], strict=True)}
        assert [classes[int(k)] for k in y[t]] == domain.labels[rows[t]].tolist()
    some, _ = seeds(domain, episodes[2:4], each, 0)
    assert torch.equal(some, rows[2:4])


def test_a_class_that_is_too_small_is_named() -> None:
    domain = blank([6, 6, 6])
    episodes = sample(domain, TaskShape(3, 2, 2), 0, 0, 2)
    with pytest.raises(CellError, match=r"class class-\d of blank has 6 images, .* leaves 2; .* needs 3 more"):
        seeds(domain, episodes, 3, 0)


class Detached(SmallVictim):
    """A planted fault: it adapts to a copy of the support, so that no gradient leads to it."""

    def __call__(self, support_x, support_y):
        return super().__call__(support_x.detach(), support_y)


class Half(SmallVictim):
    """A planted fault: half of the support is cut off."""

    def __call__(self, support_x, support_y):
        cut = support_x.shape[1] // 2
        return super().__call__(torch.cat([support_x[:, :cut], support_x[:, cut:].detach()], 1), support_y)


def bypassed(victim: SmallVictim, **fields) -> tuple[str, float | None]:
    trial, attack = Trial(Poisoning(steps=2), "linf", 0.1), Poisoning(steps=2, **fields)
    for p in victim.net.parameters():
        p.requires_grad_(False)
    victim.select = lambda tasks: victim  # type: ignore[method-assign]
    poisoner = Poisoner(nn.Identity(), attack, 0.1, ())
    poisoner.run(victim, trial.support, trial.seed, keys(2, 6))  # type: ignore[arg-type]
    found = flags(poisoner)["adaptation_bypassed"]
    return found.status, found.value


def test_a_bypassed_adaptation_is_flagged() -> None:
    assert bypassed(SmallVictim()) == ("pass", 0.0)
    assert bypassed(Detached()) == ("warn", 1.0)
    assert bypassed(Half()) == ("warn", 0.5)
    assert bypassed(SmallVictim(), order="first") == ("warn", 0.0)


def violation(attack: SupportAttack, eps: float, x: Tensor, y: Tensor) -> str:
    poisoner = Poisoner(nn.Identity(), attack, eps, ())
    before = torch.full((2, 6, 1, 2, 2), 0.5), torch.tensor([[0, 1, 2, 0, 1, 2]] * 2)
    poisoner._accept(before, (before[0] + x, (before[1] + y) % 3), 3)
    return flags(poisoner)["norm_violation"].status


def test_attacks_that_leave_their_bounds_are_flagged() -> None:
    x, y = torch.full((2, 6, 1, 2, 2), 0.1), torch.zeros(2, 6, dtype=torch.long)
    one = torch.zeros_like(y).index_fill(1, torch.tensor([0]), 1)
    assert violation(Poisoning(), 0.1, x, y) == "pass"
    assert violation(Poisoning(), 0.09, x, y) == "warn"
    assert violation(Poisoning(), 0.6, 6 * x, y) == "warn"  # pixels above 1
    assert violation(Poisoning(fraction=0.2), 0.1, x, y) == "warn"
    assert violation(Poisoning(fraction=0.2), 0.1, x * one[..., None, None, None], y) == "pass"
    assert violation(Poisoning(), 0.1, x, one) == "warn"
    assert violation(LabelFlip(), 0.2, 0 * x, one) == "pass"
    assert violation(LabelFlip(), 0.2, 0 * x, one + one.roll(1, 1)) == "warn"
    assert violation(LabelFlip(), 0.2, x, one) == "warn"


def test_what_is_no_support_is_refused() -> None:
    poisoner = Poisoner(nn.Identity(), LabelFlip(), 0.5, ())
    x, y = torch.zeros(2, 6, 1, 2, 2), torch.zeros(2, 6, dtype=torch.long)
    with pytest.raises(CellError, match="labels outside"):
        poisoner._accept((x, y), (x, y + 3), 3)
    with pytest.raises(CellError, match="expected"):
        poisoner._accept((x, y), (x[:, 1:], y), 3)


def test_losses_that_are_not_finite_are_named() -> None:
    support, seed = problem()
    broken = support[0].clone()
    broken[0, 0] = float("nan")
    with pytest.raises(CellError, match="seed queries is not finite"):
        seed_losses(Flat(), broken, support[1], seed)
