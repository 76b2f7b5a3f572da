"""What all attacks share: which queries are still attacked, how they are batched, which version is returned."""

import numpy as np
import pytest
import torch
from attack_references import ATTACKS, Told, hold_worst, linear, middle, pictures, rng
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from robustmeta.attacks.apgd import APGD
from robustmeta.attacks.apgd_t import APGDT
from robustmeta.attacks.autoattack import AutoAttack
from robustmeta.attacks.fab import FAB
from robustmeta.attacks.packing import FEW, PASS_PIXELS, SPARE_PIXELS, packs
from robustmeta.attacks.patch import Patch
from robustmeta.attacks.pgd import PGD
from robustmeta.attacks.search import Search
from robustmeta.attacks.square import Square
from robustmeta.config.attacking import AttackShift
from robustmeta.core import StudyError
from robustmeta.rng import Rng
from robustmeta.testing.attacks import EPS, norm_of


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_what_is_wrong_from_the_start_is_looked_at_once(attack: Search) -> None:
    model, x, y = pictures()
    told = Told(model)
    out = attack.perturb(told, x, (y + 1) % 4, EPS[norm_of(attack)], rng())
    assert sum(len(s) for s in told.asked) == y.numel()
    assert torch.equal(out, x)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_what_has_fallen_is_not_attacked_any_further(attack: Search) -> None:
    model, x, y = pictures()
    y[0], y[1, 0] = (y[0] + 1) % 4, (y[1, 0] + 1) % 4  # but two
    told = Told(model)
    attack.perturb(told, x, y, 1e-6 * EPS[norm_of(attack)], rng())
    asked = sum(len(s) for s in told.asked)
    assert asked <= y.numel() + 2 * (attack.passes(4) - 1)


@pytest.mark.parametrize("attack", [a for a in ATTACKS if norm_of(a) == "linf"], ids=str)
def test_of_a_coupled_classifier_the_worst_set_seen_is_returned(attack: Search) -> None:
    hold_worst(attack, 0.1)


def test_the_ensemble_breaks_all_that_its_first_attack_breaks_and_more() -> None:
    model, x, y = pictures()
    ensemble = AutoAttack(steps=4, queries=10)
    assert [m.name for m in ensemble.members(4)] == ["apgd", "apgd_t", "fab", "square"]
    alone = APGD(steps=4).perturb(model, x, y, 0.04, rng().child("apgd"))
    out = ensemble.perturb(model, x, y, 0.04, rng())
    first, last = (model(v).argmax(-1) != y for v in (alone, out))
    assert first.any()
    assert (last | ~first).all()
    assert torch.equal(out[first], alone[first])


def test_few_classes_are_an_error_or_a_note() -> None:
    x, two, three = middle(), linear(2), linear(3)
    with pytest.raises(StudyError, match="apgd_t needs tasks of 4 classes or more; got 3"):
        APGDT(steps=1).perturb(three, x, three(x).argmax(-1), 0.1, rng())
    with pytest.raises(StudyError, match="loss: dlr needs tasks of 3 classes or more; got 2"):
        APGD(steps=1, loss="dlr").passes(2)
    ensemble = AutoAttack(steps=2, queries=5)
    assert ensemble.notes(4) == ()
    assert "apgd with loss: dlr stands in for it" in ensemble.notes(3)[0]
    assert "nothing stands in for it" in ensemble.notes(2)[0]
    for model in (two, three):
        out = ensemble.perturb(model, x, model(x).argmax(-1), 0.5, rng())
        assert (model(out).argmax(-1) != model(x).argmax(-1)).any()


def test_targets_and_passes_follow_the_number_of_classes() -> None:
    assert APGDT(steps=10).passes(5) == 1 + 4 * 11
    assert APGDT(steps=10).passes(20) == 1 + 9 * 11
    assert FAB(steps=10).passes(5) == 1 + 4 * 12
    assert PGD(steps=10, restarts=3).passes(5) == 1 + 3 * 11
    assert AutoAttack(steps=10, queries=20).passes(5) == 1 + 11 + 4 * 11 + 4 * 12 + 20


def test_a_patch_is_at_most_the_image() -> None:
    with pytest.raises(ValueError, match="eps of attack patch is at most 1; got"):
        AttackShift.model_validate({"attack": "patch", "eps": [0.5, 1.5]})
    assert AttackShift.model_validate({"attack": "patch", "eps": [1.0]}).attack == Patch()


@pytest.mark.parametrize(
    ("attack", "wrong"),
    [
        (APGD, {"loss": "mse"}),
        (APGDT, {"targets": 0}),
        (AutoAttack, {"norm": "l1"}),
        (FAB, {"norm": "l1"}),
        (Patch, {"step_size": 2}),
        (PGD, {"momentum": -1}),
        (Square, {"share": 0}),
    ],
)
def test_wrong_choices_are_refused(attack: type[Search], wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        attack.model_validate(wrong)


@given(
    counts=st.lists(st.integers(0, 300) | st.integers(0, 5), max_size=9),
    pixels=st.sampled_from([16, 28**2, 84**2, 224**2]),
    whole=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_passes_hold_every_point_once(counts: list[int], pixels: int, whole: bool) -> None:
    made = list(packs(counts, pixels, whole=whole))
    owner = torch.tensor([t for t, c in enumerate(counts) for _ in range(c)])
    points = torch.arange(len(owner))
    drained = torch.cat([p.drain(p.fill(points)) for p in made]) if made else points
    assert torch.equal(drained, points)
    for p in made:
        tasks = torch.arange(p.tasks.start, p.tasks.stop)[:, None].expand(p.points.shape)
        assert torch.equal(owner[p.fill(points)], tasks)
        size = p.points.numel()
        assert size <= max(FEW, PASS_PIXELS // pixels) or (whole and len(p.points) == 1)
        assert size - (p.stop - p.start) <= SPARE_PIXELS // pixels * (len(p.points) - 1)
    if whole:
        assert sorted(t for p in made for t in range(p.tasks.start, p.tasks.stop)) == [
            t for t, c in enumerate(counts) if c
        ]


def test_ragged_tasks_are_attacked_through_their_own_classifiers() -> None:
    class OwnWeights:
        """A task's logits carry its number in their order."""

        coupled = False

        def __init__(self, weight: Tensor) -> None:
            self.weight = weight

        def __call__(self, x: Tensor) -> Tensor:
            return torch.einsum("tqd,tdk->tqk", x.flatten(2), self.weight)

        def select(self, tasks: slice) -> "OwnWeights":
            return OwnWeights(self.weight[tasks])

    keys = np.arange(20, dtype=np.uint64).reshape(5, 4)
    model = OwnWeights(Rng(0, ("w",), range(5)).normal(16, 3))
    x = 0.4 + 0.2 * Rng(0, ("x",), keys).uniform(1, 4, 4)
    y = model(x).argmax(-1)
    y[1], y[3, :3] = (y[1] + 1) % 3, (y[3, :3] + 1) % 3  # tasks of 4, 0, 4, 1 and 4 standing queries
    out = PGD(steps=5).perturb(model, x, y, 0.05, Rng(0, ("a",), keys))
    for t in range(5):
        part = slice(t, t + 1)
        alone = PGD(steps=5).perturb(model.select(part), x[part], y[part], 0.05, Rng(0, ("a",), keys[part]))
        torch.testing.assert_close(out[part], alone, atol=1e-6, rtol=0)
