"""Each check of the certificates turns red on a planted fault."""

from typing import Any

import numpy as np
import pytest
from certified import hold_bound, hold_confidence, hold_prediction, hold_radius
from scipy.stats import beta, binom

from robustmeta.certificates import smoothing as module
from robustmeta.functional import smoothing

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
