"""Each check of the certificates turns red on a planted fault."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from certified import hold_bound, hold_confidence, hold_prediction, hold_radius
from scipy.stats import beta, binom
from torch import Tensor

from robustmeta.certificates import smoothing as module
from robustmeta.core import Certified
from robustmeta.functional import smoothing
from robustmeta.rng import Rng
from robustmeta.testing import check_certificate

certify, lower_bound = smoothing.certify, smoothing.lower_bound


def test_a_two_sided_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "lower_bound", lambda k, n, alpha: lower_bound(k, n, alpha / 2))
    with pytest.raises(AssertionError, match="Not equal"):
        hold_bound()


def test_a_bound_from_above(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "lower_bound", lambda k, n, alpha: beta.ppf(1 - alpha, k + 1, n - k))
    with pytest.raises(AssertionError, match="does not hold"):
        hold_radius(0.25)


def test_a_share_instead_of_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "lower_bound", lambda k, n, alpha: np.minimum(k / n, 1 - 1e-6))
    with pytest.raises(AssertionError, match="does not hold"):
        hold_radius(0.25)


def test_the_same_draws_for_selection_and_estimation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "certify", lambda first, second, *rest: certify(second, second, *rest))
    with pytest.raises(AssertionError, match="do not hold"):
        hold_confidence()


@pytest.mark.parametrize("sigma", [0.12, 0.5])
def test_sigma_forgotten_in_the_radius(sigma: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(first: Any, second: Any, sigma: float, alpha: float) -> Any:
        return certify(first, second, 1.0, alpha)

    monkeypatch.setattr(module, "certify", forgetful)
    with pytest.raises(AssertionError, match="does not hold"):
        hold_radius(sigma)


def test_noise_of_half_its_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = module.draws
    monkeypatch.setattr(module, "draws", lambda *args: draws(*args) / 2)
    with pytest.raises(AssertionError, match="does not hold"):
        hold_radius(0.25)


def test_one_draw_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = module.draws

    def one(rng: Any, start: int, stop: int, shape: tuple[int, ...]) -> Any:
        return draws(rng, 0, 1, shape).repeat_interleave(stop - start, -len(shape) - 1)

    monkeypatch.setattr(module, "draws", one)
    with pytest.raises(AssertionError, match="do not hold"):
        hold_confidence()


def test_a_one_sided_test_of_a_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_sided(counts: Any, alpha: float) -> Any:
        first, second = -np.sort(-counts, 1)[:, :2].T
        return np.where(binom.sf(first - 1, first + second, 0.5) <= alpha, counts.argmax(1), -1)

    monkeypatch.setattr(smoothing, "predict", one_sided)
    with pytest.raises(AssertionError):
        hold_prediction()


def red() -> list[str]:
    return [f.name for f in check_certificate(module.Smoothing(n0=20, n=200, alpha=0.01)) if not f.passed]


class Wrapped:
    """What is certified, changed by a fault."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch, self.certify = monkeypatch, module.Smoothing.certify

    def by(self, fault: Callable[..., Certified]) -> list[str]:
        """What the checks find wrong where ``fault(what is certified, what it was certified of...)`` is returned."""
        assert red() == []
        self.patch.setattr(module.Smoothing, "certify", lambda own, *on: fault(self.certify(own, *on), *on))
        return red()


FAULTS: dict[str, tuple[str, Callable[..., Certified]]] = {
    "never abstains": ("answers", lambda found, *on: replace(found, answer=found.answer.clip(0))),
    "no radius": ("answers", lambda found, *on: replace(found, answer=0 * found.answer - 1, radius=0 * found.radius)),
    "the other class": (
        "truth",
        lambda found, *on: replace(found, answer=_other(found.answer), predicted=_none(found)),
    ),
    "too far": ("truth", lambda found, *on: replace(found, radius=3 * found.radius)),
    "sure of a coin": (
        "doubt",
        lambda found, *on: replace(found, answer=0 * found.answer, radius=found.radius + 1e-3, predicted=_none(found)),
    ),
    "beyond the largest": ("sigma", lambda found, *on: replace(found, radius=found.radius * 2)),
    "single precision": ("runs", lambda found, *on: replace(found, radius=found.radius.astype(np.float32))),
}


def _other(answer: Any) -> Any:
    return np.where(answer < 0, answer, 1 - answer)


def _none(found: Certified) -> Any:
    return 0 * found.predicted - 1


@pytest.mark.parametrize("name", FAULTS)
def test_a_certificate_that_breaks_a_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, fault = FAULTS[name]
    assert check in Wrapped(monkeypatch).by(fault)


def test_a_certificate_that_touches_what_is_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(found: Certified, classifier: Any, x: Tensor, *rest: Any) -> Certified:
        torch.rand(1)
        classifier(x)
        x.add_(1e-3)
        return found

    assert {"same key", "nothing else touched", "passes"} <= set(Wrapped(monkeypatch).by(careless))


def test_draws_by_place_of_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = module.draws

    def by_place(rng: Rng, *given: Any) -> Any:
        return honest(Rng(rng.seed, rng.stream, range(len(rng.keys))), *given)

    assert red() == []
    monkeypatch.setattr(module, "draws", by_place)
    assert "alone" in red()
