"""Randomised smoothing against classifiers whose smoothed form is known, and its draws."""

import numpy as np
import pytest
import torch
from certified import Halves, certified, hold_bound, hold_confidence, hold_prediction, hold_radius, images
from pydantic import ValidationError
from scipy.stats import kstest, norm
from torch import Tensor

from robustmeta.certificates import smoothing as module
from robustmeta.certificates.smoothing import Smoothing, draws
from robustmeta.core import CellError, Certified
from robustmeta.functional.smoothing import ABSTAIN, certify, largest_radius, predict

SMALL = Smoothing(n0=7, n=40)


@pytest.mark.parametrize("sigma", [0.12, 0.5])
def test_the_radius_of_a_linear_classifier(sigma: float) -> None:
    hold_radius(sigma)


def test_no_more_radii_are_wrong_than_is_said() -> None:
    hold_confidence()


def test_the_bound_of_a_probability() -> None:
    hold_bound()


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.2])
def test_a_prediction_needs_two_classes_that_differ(alpha: float) -> None:
    hold_prediction(alpha)


def test_where_there_is_no_certificate_it_abstains() -> None:
    selection = np.array([[5, 5, 0], [0, 9, 1], [1, 9, 0], [10, 0, 0]])
    estimation = np.array([[60, 40, 0], [80, 10, 10], [10, 80, 10], [100, 0, 0]])
    answer, radius = certify(selection, estimation, 0.5, 0.001)
    # 60 of 100 may be chance; of the second the draws that select and those that estimate disagree
    assert answer.tolist() == [ABSTAIN, ABSTAIN, 1, 0]
    assert radius[:2].tolist() == [0, 0]
    assert radius[3] == pytest.approx(0.5 * norm.ppf(0.001**0.01)) == pytest.approx(largest_radius(0.5, 100, 0.001))
    assert 0 < radius[2] < radius[3]
    assert predict(estimation, 0.001).tolist() == [ABSTAIN, 0, 1, 0]
    assert largest_radius(0.5, 9, 0.001) == 0


def same(a: Certified, b: Certified) -> bool:
    return all(np.array_equal(getattr(a, k), getattr(b, k)) for k in ("predicted", "answer", "radius"))


def test_no_result_depends_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    x, rng = images(3, 5)
    whole = SMALL.certify(Halves(), x, 0.25, rng)
    assert same(whole, SMALL.certify(Halves(), x, 0.25, rng))
    assert (whole.answer >= 0).any()
    assert (whole.answer == ABSTAIN).any()
    for t in range(3):
        alone = SMALL.certify(Halves(), x[t : t + 1], 0.25, rng.at(slice(t, t + 1)))
        assert np.array_equal(alone.radius[0], whole.radius[t])
    order = [3, 0, 4, 1, 2]
    turned = SMALL.certify(Halves(), x[:, order], 0.25, type(rng)(rng.seed, rng.stream, rng.keys[:, order]))
    assert np.array_equal(turned.radius, whole.radius[:, order])
    few = Halves()
    monkeypatch.setattr(module, "PASS_PIXELS", 5 * 9 * 2)
    assert same(whole, SMALL.certify(few, x, 0.25, rng))
    assert {shape[1] for shape in few.seen} == {10, 5}  # two draws of five queries at a time, or the one that is left
    assert sum(shape[1] for shape in few.seen) == 3 * 5 * SMALL.passes()


def test_draws_are_normal_and_of_their_own() -> None:
    _, rng = images(2, 2)
    z = draws(rng, 0, 60, (1, 6, 6))
    assert z.shape == (2, 2, 60, 1, 6, 6)
    assert torch.equal(z[:, :, 20:30], draws(rng, 20, 30, (1, 6, 6)))
    assert kstest(z.flatten(), "norm").pvalue > 0.01
    assert len(z.flatten(0, 2)[:, 0, 0, 0].unique()) == 240
    x = torch.full((2, 2, 1, 6, 6), 0.5)
    torch.testing.assert_close(SMALL.noisy(x, 0.3, rng), x + 0.3 * z[:, :, 0])


class Ranked(Halves):
    """The query farthest along w is of class 0, the others of class 1: no answer without the others."""

    def __call__(self, x: Tensor) -> Tensor:
        side = super().__call__(x)[..., 0]
        first = torch.nn.functional.one_hot(side.argmax(1), x.shape[1]).float()
        return torch.stack([first, 1 - first], -1)


def test_queries_of_a_coupled_classifier_are_drawn_together() -> None:
    x, rng = images(2, 4)
    ranked = Ranked(coupled=True)
    found = SMALL.certify(ranked, x, 0.1, rng)
    assert set(ranked.seen) == {(1, 4, 1, 3, 3)}  # a whole task each time, not several draws at once
    noise = draws(rng, SMALL.n0, SMALL.passes(), (1, 3, 3))
    answers = torch.stack([Ranked()(x + 0.1 * noise[:, :, j]).argmax(-1) for j in range(SMALL.n)])
    counts = torch.stack([(answers == c).sum(0) for c in range(2)], -1)
    assert np.array_equal(found.predicted.ravel(), predict(counts.flatten(0, 1).numpy(), SMALL.alpha))
    largest = found.answer >= 0
    share = counts.gather(-1, torch.from_numpy(found.answer).clamp(min=0)[..., None])[..., 0].numpy()
    assert (share[largest] > SMALL.n / 2).all()


def test_smoothed_and_certified_answers_agree_where_both_are_given() -> None:
    found, _ = certified(Smoothing(n0=30, n=200), 0.25)
    both = (found.answer >= 0) & (found.predicted >= 0)
    assert both.sum() > 20
    assert np.array_equal(found.answer[both], found.predicted[both])
    assert ((found.radius > 0) == (found.answer >= 0)).all()


def test_what_cannot_certify_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"9 draws certify nothing at alpha 0.001; give n: 10 or more"):
        Smoothing(n=9)
    assert Smoothing(n=10).largest(1.0) > 0

    class Lost(Halves):
        def __call__(self, x: Tensor) -> Tensor:
            return super().__call__(x) * float("nan")

    x, rng = images(1, 2)
    with pytest.raises(CellError, match=r"under noise of sigma 0.1 are not finite"):
        SMALL.certify(Lost(), x, 0.1, rng)
