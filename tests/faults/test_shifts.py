"""Each check of corruptions and attacks turns red on a planted fault."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from shift_references import PUBLISHED, hold
from torch import Tensor

from robustmeta.attacks.fgsm import FGSM
from robustmeta.attacks.gradient import climb
from robustmeta.attacks.pgd import PGD
from robustmeta.corruptions import contrast as contrast_module
from robustmeta.corruptions import defocus_blur as defocus_module
from robustmeta.corruptions.contrast import contrast
from robustmeta.corruptions.defocus_blur import defocus_blur
from robustmeta.corruptions.gaussian_noise import gaussian_noise
from robustmeta.corruptions.jpeg_compression import jpeg_compression
from robustmeta.functional.blur import aliased_disk
from robustmeta.functional.projection import BALLS
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.testing import Finding, check_attack, check_corruption

BUILTIN = (gaussian_noise, defocus_blur, contrast, jpeg_compression)


def red(findings: list[Finding]) -> list[str]:
    return [f.name for f in findings if not f.passed]


def half_a_pixel(radius: float, sigma: float) -> Tensor:
    kernel = aliased_disk(radius, sigma)
    return (kernel + kernel.roll(1, -1)) / 2


def normalised(radius: float, sigma: float) -> Tensor:
    kernel = aliased_disk(radius, sigma)
    return kernel / kernel.sum()


@pytest.mark.parametrize("corruption", BUILTIN, ids=lambda c: c.name)
def test_a_severity_off_by_one(corruption: Corruption) -> None:
    tables = {size: (*levels[1:], levels[0]) for size, levels in corruption.tables.items()}
    with pytest.raises(AssertionError, match="table 224"):
        hold(replace(corruption, tables=tables))


@pytest.mark.parametrize("corruption", BUILTIN, ids=lambda c: c.name)
def test_the_levels_of_another_size(corruption: Corruption) -> None:
    with pytest.raises(AssertionError, match="table 64"):
        hold(replace(corruption, tables={**corruption.tables, "64": PUBLISHED[corruption.name]["32"], "32": ()}))


@pytest.mark.parametrize("corruption", BUILTIN, ids=lambda c: c.name)
def test_a_level_that_is_not_passed_on_as_it_is(corruption: Corruption) -> None:
    levels = corruption.tables["224"]

    def milder(x: Tensor, level: Any, rng: Rng) -> Tensor:
        place = levels.index(level) if level in levels else 0
        return corruption.function(x, levels[max(0, place - 1)], rng)

    with pytest.raises(AssertionError, match="off"):
        hold(replace(corruption, in_bytes=None, function=milder))


@pytest.mark.parametrize("fault", [half_a_pixel, normalised])
def test_a_shifted_or_normalised_kernel(fault: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defocus_module, "aliased_disk", fault)
    with pytest.raises(AssertionError, match="off"):
        hold(defocus_blur)


def test_the_mean_over_all_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    def shared(x: Tensor, c: float) -> Tensor:
        mean = x.mean((1, 2, 3), keepdim=True)
        return (mean + c * (x - mean)).clamp(0, 1)

    monkeypatch.setattr(contrast_module.photometric, "contrast", shared)
    with pytest.raises(AssertionError, match="off"):
        hold(contrast)


def test_rounding_where_the_published_images_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustmeta.shifts.corruption.to_bytes", lambda x: x.mul(255).round().byte())
    with pytest.raises(AssertionError, match="off"):
        hold(gaussian_noise)


calls = count()
FAULTY: dict[str, tuple[Callable[[Tensor, Any, Rng], Any], list[str]]] = {
    "raises": (lambda x, s, rng: x + undefined, ["runs"]),  # type: ignore[name-defined]  # noqa: F821
    "NaN": (lambda x, s, rng: x / 0 * 0, ["runs"]),
    "another shape": (lambda x, s, rng: x[..., 1:], ["runs"]),
    "out of range": (lambda x, s, rng: x + s, ["runs"]),
    "a little out of range": (lambda x, s, rng: (x - s).clamp(0, 1) - 5e-7, ["range"]),
    "float64": (lambda x, s, rng: x.double() * (1 - s), ["shape and type"]),
    "no seed": (
        lambda x, s, rng: (1 - s) * x + s * torch.from_numpy(np.random.default_rng().random(x.shape)).float(),
        ["same key", "batch size and order", "pickle"],
    ),
    "torch's generator": (
        lambda x, s, rng: (1 - s) * x + s * torch.rand(x.shape),
        ["same key", "batch size and order", "nothing else touched", "pickle"],
    ),
    "random's generator": (lambda x, s, rng: (1 - s + 0 * random.random()) * x, ["nothing else touched"]),
    "the batch's mean": (lambda x, s, rng: (1 - s) * x + s * x.mean(), ["batch size and order"]),
    "the row's number": (
        lambda x, s, rng: x * (1 - s * torch.arange(len(x))[:, None, None, None] / len(x)),
        ["batch size and order"],
    ),
    "the level in the key": (
        lambda x, s, rng: (1 - s) * x + s * rng.child("noise", s).uniform(*x.shape[1:]),
        ["shared draws"],
    ),
    "writes into its input": (lambda x, s, rng: x.mul_(1 - s), ["nothing else touched"]),
    "milder with severity": (lambda x, s, rng: x * (0.1 + s), ["grows with severity"]),
    "the same at all levels": (lambda x, s, rng: x * 0.5, ["grows with severity"]),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_corruption(name: str) -> None:
    function, wanted = FAULTY[name]
    found = check_corruption(Corruption(name, function, {"levels": (0.2, 0.6)}, "x"))
    assert [f for f in red(found) if f != "pickle" or "pickle" in wanted] == wanted


def sound(x: Tensor, level: float, rng: Rng) -> Tensor:
    return x * (1 - level)


def test_a_sound_corruption_and_what_only_its_author_can_say() -> None:
    made = Corruption("sound", sound, {"levels": (0.2, 0.6)}, "x")
    assert red(check_corruption(made)) == []
    falling = replace(made, tables={"levels": (0.6, 0.2)})
    assert red(check_corruption(falling)) == ["grows with severity"]
    assert red(check_corruption(replace(falling, monotone=False))) == []
    assert red(check_corruption(replace(made, tables={}))) == ["runs"]
    assert red(check_corruption(replace(made, function=lambda x, s, r: x * (1 - s)))) == ["pickle"]


@dataclass(frozen=True)
class Faulty:
    """A PGD of which one part is replaced."""

    perturb: Callable[..., Tensor]
    forward: int = PGD().passes(4)

    def passes(self, way: int) -> int:
        return self.forward


def down(c: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
    return (x - eps * climb(c, x, y)[1].sign()).clamp(0, 1)


def beyond(c: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
    return (x + 1.01 * eps * climb(c, x, y)[1].sign()).clamp(0, 1)


def unclamped(c: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
    return x + eps * climb(c, x, y)[1].sign()


def moving(c: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
    return (x + (0.04 + 0.1 * eps) * climb(c, x, y)[1].sign()).clamp(0, 1)


def unseeded(c: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
    return (x + eps * (0.5 + 0.5 * torch.rand(x.shape)) * climb(c, x, y)[1].sign()).clamp(0, 1)


def training(c: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
    leaf = x.clone().requires_grad_()
    torch.nn.functional.cross_entropy(c(leaf).flatten(0, 1), y.flatten()).backward()
    return (x + eps * leaf.grad.sign()).clamp(0, 1)


def in_place(c: Any, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
    return x.copy_((x + eps * climb(c, x, y)[1].sign()).clamp(0, 1))


FAULTY_ATTACKS: dict[str, tuple[Faulty, list[str]]] = {
    "none": (Faulty(PGD().perturb), []),
    "raises": (Faulty(lambda *a: 1 / 0), ["runs"]),
    "another shape": (Faulty(lambda c, x, y, eps, rng: x[0]), ["runs"]),
    "sign flipped": (Faulty(down, 1), ["loss"]),
    "too far": (Faulty(beyond, 1), ["norm"]),
    "out of range": (Faulty(unclamped, 1), ["range"]),
    "moves at eps 0": (Faulty(moving, 1), ["eps 0"]),
    "unseeded": (Faulty(unseeded, 1), ["same key", "alone"]),
    "gradients left": (Faulty(training, 1), ["nothing else touched"]),
    "passes miscounted": (Faulty(PGD().perturb, 10), ["passes"]),
}


@pytest.mark.parametrize("name", FAULTY_ATTACKS)
def test_a_faulty_attack(name: str) -> None:
    attack, wanted = FAULTY_ATTACKS[name]
    assert red(check_attack(attack)) == wanted  # type: ignore[arg-type]


def test_an_attack_that_writes_into_its_input() -> None:
    assert "nothing else touched" in red(check_attack(Faulty(in_place, 1), eps=0.01))  # type: ignore[arg-type]


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.05), ("l2", 0.5)])
def test_a_missing_projection(norm: str, eps: float, monkeypatch: pytest.MonkeyPatch) -> None:
    ball = BALLS[norm]
    monkeypatch.setitem(BALLS, norm, replace(ball, project=lambda d, e: d))
    found = check_attack(PGD.model_validate({"norm": norm}), norm, eps)  # type: ignore[arg-type]
    assert "norm" in red(found)


def test_pgd_with_its_sign_flipped_finds_nothing_worse_than_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    ball = BALLS["linf"]
    monkeypatch.setitem(BALLS, "linf", replace(ball, steepest=lambda g: -g.sign()))
    assert "loss" in red(check_attack(PGD(random_start=False)))
    assert "loss" in red(check_attack(FGSM()))
