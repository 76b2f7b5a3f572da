"""Mean corruption errors, by hand and by a loop."""

import numpy as np
import pytest

from robustmeta.metrics.benchmark import mean_corruption_error, relative_mean_corruption_error
from robustmeta.metrics.intervals import bootstrap


def test_mce_by_hand() -> None:
    # two corruptions, two severities: Σ 0.6 / 1.0 and 0.9 / 0.6
    errors, reference = np.array([[0.2, 0.4], [0.4, 0.5]]), np.array([[0.4, 0.6], [0.2, 0.4]])
    assert float(mean_corruption_error(errors, reference)) == pytest.approx((0.6 + 1.5) / 2)
    assert float(mean_corruption_error(reference, reference)) == pytest.approx(1)


def test_relative_mce_by_hand() -> None:
    errors, reference = np.array([[0.2, 0.4], [0.4, 0.5]]), np.array([[0.4, 0.6], [0.2, 0.4]])
    clean, reference_clean = np.array(0.1), np.array(0.05)
    # (0.1 + 0.3) / (0.35 + 0.55) and (0.3 + 0.4) / (0.15 + 0.35)
    expected = (0.4 / 0.9 + 0.7 / 0.5) / 2
    got = relative_mean_corruption_error(errors, clean, reference, reference_clean)
    assert float(got) == pytest.approx(expected)


def test_published_alexnet_figures_give_one_against_themselves() -> None:
    alexnet = np.array([0.886, 0.894, 0.923, 0.820, 0.826, 0.786, 0.798, 0.867, 0.827, 0.819, 0.565, 0.853, 0.646])
    errors = np.repeat(alexnet[:, None], 5, 1)
    assert float(mean_corruption_error(errors, errors)) == pytest.approx(1)
    assert float(mean_corruption_error(errors / 2, errors)) == pytest.approx(0.5)


def test_a_reference_that_loses_nothing_gives_no_number() -> None:
    errors, reference = np.full((2, 3), 0.5), np.array([[0.1, 0.1, 0.1], [0.4, 0.4, 0.4]])
    assert np.isnan(relative_mean_corruption_error(errors, np.array(0.1), reference, np.array(0.1)))
    assert np.isnan(mean_corruption_error(errors, np.zeros((2, 3))))


def test_leading_axes_are_batches() -> None:
    rng = np.random.default_rng(0)
    errors, reference = rng.random((4, 3, 5, 2)), rng.random((4, 3, 5, 2))
    whole = mean_corruption_error(errors, reference)
    assert whole.shape == (4, 3)
    assert whole[2, 1] == pytest.approx(float(mean_corruption_error(errors[2, 1], reference[2, 1])))


def test_paired_resampling_sees_a_constant_ratio_without_spread() -> None:
    rng = np.random.default_rng(1)
    reference = rng.random((1, 50, 6))
    estimate = bootstrap(
        lambda m: mean_corruption_error(m[0].reshape(*m[0].shape[:-1], 3, 2), m[1].reshape(*m[1].shape[:-1], 3, 2)),
        [0.5 * reference, reference],
    )
    assert (estimate.mean, estimate.low, estimate.high) == pytest.approx((0.5, 0.5, 0.5))
    unpaired = bootstrap(lambda m: m[0].mean(-1) / m[1].mean(-1), [0.5 * reference[:, ::-1], reference])
    assert unpaired.high - unpaired.low > 0.05
