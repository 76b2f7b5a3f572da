"""Worked numbers of the zooms and turns that C-bar averages, against SciPy."""

import math

import numpy as np
import pytest
import torch
from closeness import close
from scipy import ndimage

from robustmeta.functional.rotate import WEIGHTS, quarter_matrix, spin
from robustmeta.functional.spline import taps, zoom
from robustmeta.rng import Rng


def test_cubic_spline_weights() -> None:
    knot, weight = taps(np.array([0.0, 2.0, 2.5, 5.0]), 6)
    np.testing.assert_allclose(weight.T[0], [1 / 6, 4 / 6, 1 / 6, 0])
    np.testing.assert_allclose(weight.T[2], np.array([1, 23, 23, 1]) / 48)
    np.testing.assert_allclose(weight.sum(0), 1)
    assert knot.T.tolist() == [[1, 0, 1, 2], [1, 2, 3, 4], [1, 2, 3, 4], [4, 5, 4, 3]]


def test_a_zoom_of_1_smooths_by_1_4_1() -> None:
    x = torch.zeros(1, 5, 5)
    x[0, 2, 2] = 36
    line = np.array([0, 1, 4, 1, 0])
    close(zoom(x, 1)[0], np.outer(line, line), 1e-5)
    x = torch.zeros(1, 5, 5)
    x[0, 0, 2] = 36
    close(zoom(x, 1)[0], np.outer([4, 1, 0, 0, 0], line), 1e-5)
    x = torch.zeros(1, 5, 5)
    x[0, 1, 2] = 36
    close(zoom(x, 1)[0], np.outer([2, 4, 1, 0, 0], line), 1e-5)  # mirrored at the outer pixel


@pytest.mark.parametrize("shape", [(32, 32), (33, 40)])
@pytest.mark.parametrize("factor", [1.0, 1.025, 1.25, 1.5])
def test_a_zoom_is_scipy_s_without_its_prefilter(shape: tuple[int, int], factor: float) -> None:
    x = Rng(0, ("x",), [1]).uniform(*shape)
    big = ndimage.zoom(x[0].double().numpy(), factor, order=3, prefilter=False)
    top, left = ((b - n) // 2 for b, n in zip(big.shape, shape, strict=True))
    close(zoom(x, factor)[0], big[top : top + shape[0], left : left + shape[1]])


@pytest.mark.parametrize("shape", [(16, 16), (15, 20), (17, 9)])
def test_spinning_is_the_weighted_mean_of_scipy_s_turns(shape: tuple[int, int]) -> None:
    x = Rng(0, ("x",), [1, 2]).uniform(1, *shape)
    for image, got in zip(x, spin(x, 12.0), strict=True):
        turned = [
            weight * ndimage.rotate(image[0].double().numpy(), 12 * u, reshape=False, order=3)
            for u, weight in zip(np.linspace(-1, 1, 21), WEIGHTS, strict=True)
        ]
        close(got[0], sum(turned), 2e-6)


def test_spinning_weights_and_the_spin_of_nothing() -> None:
    assert float(WEIGHTS.sum()) == pytest.approx(1)
    assert float(WEIGHTS[0] / WEIGHTS[10]) == pytest.approx(math.exp(-2))
    x = Rng(0, ("x",), [1]).uniform(1, 9, 12)
    close(spin(x, 0.0), x.numpy(), 2e-6)
    assert quarter_matrix(9, 12, 5.0).shape == (5 * 6, 9 * 12)
