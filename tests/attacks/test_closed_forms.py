"""Attacks on models whose worst case is known."""

import pytest
import torch
import torch.nn.functional as F
from attack_references import FAR, KEYS, SHAPE, hold_distance, hold_optimum, linear, middle, rng
from shift_references import Linear
from torch import Tensor

from robustmeta.attacks.apgd import APGD
from robustmeta.attacks.apgd_t import APGDT
from robustmeta.attacks.carlini_wagner import CarliniWagner
from robustmeta.attacks.deepfool import DeepFool
from robustmeta.attacks.fab import FAB
from robustmeta.attacks.fgsm import FGSM
from robustmeta.attacks.noise import Noise
from robustmeta.attacks.patch import Patch
from robustmeta.attacks.pgd import PGD
from robustmeta.attacks.search import Search
from robustmeta.attacks.spatial import Spatial
from robustmeta.attacks.square import Square
from robustmeta.rng import Rng

OPTIMA = [
    (FGSM(), 0.1, 1e-6),
    (PGD(steps=4, random_start=False), 0.1, 1e-6),
    (PGD(steps=8), 0.1, 1e-6),
    (PGD(steps=8, momentum=1.0), 0.1, 1e-6),
    (PGD(steps=20, decay="linear"), 0.1, 1e-6),
    (PGD(norm="l2", steps=4, random_start=False), 0.3, 1e-6),
    (PGD(norm="l2", steps=40), 0.3, 2e-3),
    (PGD(norm="l1", steps=40), 0.3, 2e-3),
    (APGD(steps=10), 0.1, 1e-6),
    (APGD(norm="l2", steps=40), 0.3, 2e-3),
    (Square(queries=400), 0.1, 1e-6),
]
NEAREST = [
    (DeepFool(overshoot=0.02), 1.021),
    (DeepFool(norm="linf", overshoot=0.02), 1.021),
    (FAB(steps=10), 1.051),
    (FAB(norm="l2", steps=10), 1.051),
    (CarliniWagner(steps=60, rate=0.05, searches=6, first=0.3), 1.02),
]


@pytest.mark.parametrize(("attack", "eps", "tolerance"), OPTIMA, ids=str)
def test_on_a_linear_model_the_worst_of_the_ball_is_found(attack: Search, eps: float, tolerance: float) -> None:
    hold_optimum(attack, eps, tolerance)


@pytest.mark.parametrize(("attack", "beyond"), NEAREST, ids=str)
def test_the_distance_to_a_linear_border_is_the_margin_over_the_norm(attack: Search, beyond: float) -> None:
    hold_distance(attack, beyond)


@pytest.mark.parametrize(
    "attack",
    [DeepFool(), DeepFool(norm="linf"), FAB(steps=10), FAB(norm="l2", steps=10), APGDT(steps=20)],
    ids=str,
)
def test_the_nearest_of_several_borders_is_found(attack: Search) -> None:
    hold_distance(attack, 1.051, way=4)


def test_deepfool_goes_beyond_the_border_by_its_overshoot() -> None:
    model = linear()
    x = middle()
    y = model(x).argmax(-1)
    out = DeepFool(overshoot=0.1).perturb(model, x, y, 9.0, rng())
    normal = model.weight[:, 1] - model.weight[:, 0]
    margin = (model(x)[..., 1] - model(x)[..., 0]).abs()
    torch.testing.assert_close((out - x).flatten(2).norm(dim=-1), 1.1 * margin / normal.norm(), rtol=1e-4, atol=1e-6)


def test_what_stands_is_shrunk_to_eps() -> None:
    model = linear(ahead=FAR)
    x, y = middle(), torch.zeros(SHAPE[:2], dtype=torch.long)
    for attack in (DeepFool(steps=3), FAB(norm="l2", steps=3)):
        out = attack.perturb(model, x, y, 0.2, rng())
        length = (out - x).flatten(2).norm(dim=-1)
        assert bool(((length - 0.2).abs() < 1e-5).all() or (length == 0).all())  # nothing wrong in [0, 1]: clean


def test_square_climbs_in_l2() -> None:
    model = Linear(Rng(0, ("w",), range(144)).normal(2) / 8, torch.tensor([FAR, 0.0]))
    x = 0.4 + 0.2 * Rng(0, ("x",), KEYS).uniform(1, 12, 12)
    y = torch.zeros(SHAPE[:2], dtype=torch.long)
    normal = model.weight[:, 1] - model.weight[:, 0]

    def share(attack: Search) -> float:
        moved = (attack.perturb(model, x, y, 0.5, rng()) - x).flatten(2)
        return float((moved @ normal).mean() / (0.5 * normal.norm()))

    found = [share(a) for a in (Noise(norm="l2"), Square(norm="l2", queries=2), Square(norm="l2", queries=300))]
    assert found[0] < 0.15
    assert found[1] < 0.3
    assert found[2] > 0.5


def test_a_shift_of_a_whole_pixel_is_found() -> None:
    pixels = torch.arange(16.0).view(1, 4, 4) / 16
    shifted = F.pad(pixels, (1, 0, 0, 1))[:, 1:, :4]  # right and up
    away = -(shifted - shifted.mean()).flatten()
    model = Linear(torch.stack([away, -away], -1), torch.tensor([FAR, 0.0]))
    x, y = pixels.expand(1, 1, 1, 4, 4), torch.zeros(1, 1, dtype=torch.long)
    attack = Spatial(degrees=0, shift=0.25, turns=1, shifts=3)
    out = attack.perturb(model, x, y, 1.0, Rng(0, ("s",), [[0]]))
    torch.testing.assert_close(out[0, 0], shifted, atol=1e-6, rtol=0)
    half = attack.perturb(model, x, y, 0.5, Rng(0, ("s",), [[0]]))[0, 0]
    assert not torch.allclose(half, shifted, atol=1e-2)


def test_a_quarter_turn_is_found() -> None:
    pixels = Rng(0, ("turn",), [0]).uniform(1, 4, 4)[0]
    turned = pixels.rot90(1, (1, 2))
    away = -(turned - turned.mean()).flatten()
    model = Linear(torch.stack([away, -away], -1), torch.tensor([FAR, 0.0]))
    x, y = pixels.expand(1, 1, 1, 4, 4), torch.zeros(1, 1, dtype=torch.long)
    out = Spatial(degrees=90, turns=3, shifts=1).perturb(model, x, y, 1.0, Rng(0, ("s",), [[0]]))
    torch.testing.assert_close(out[0, 0], turned, atol=1e-5, rtol=0)


def test_a_patch_lies_where_the_gradient_is_largest_and_takes_the_ends_of_the_range() -> None:
    x, model = middle(), linear(ahead=1.6 * FAR)
    model.weight[[6, 7, 10, 11]] *= 3  # the square in rows and columns 1..2, 2..3
    y = torch.zeros(SHAPE[:2], dtype=torch.long)
    out = Patch(step_size=0.25).perturb(model, x, y, 0.5, rng())
    gradient = (model.weight[:, 1] - model.weight[:, 0]).view(1, 4, 4)
    want = x.clone()
    want[..., 1:3, 2:4] = (gradient > 0).float()[..., 1:3, 2:4].expand_as(want[..., 1:3, 2:4])
    torch.testing.assert_close(out, want, atol=1e-6, rtol=0)
    assert torch.equal(Patch().perturb(model, x, y, 0.1, rng()), x)  # less than half a pixel


def test_noise_has_the_length_of_the_radius() -> None:
    x, model = middle(), linear(ahead=FAR)
    y = torch.zeros(SHAPE[:2], dtype=torch.long)
    lengths = {"linf": lambda d: d.abs().amax(-1), "l2": lambda d: d.norm(dim=-1), "l1": lambda d: d.abs().sum(-1)}
    for norm, length in lengths.items():
        moved = (Noise.model_validate({"norm": norm, "draws": 9}).perturb(model, x, y, 0.1, rng()) - x).flatten(2)
        torch.testing.assert_close(length(moved), torch.full(SHAPE[:2], 0.1), atol=1e-5, rtol=0)


def test_more_draws_are_worse() -> None:
    x, model = middle(), linear(ahead=FAR)
    y = torch.zeros(SHAPE[:2], dtype=torch.long)

    def loss(draws: int) -> Tensor:
        return F.cross_entropy(model(Noise(draws=draws).perturb(model, x, y, 0.1, rng()))[0], y[0])

    assert loss(50) > loss(1)
