"""Each check of colours, of quantiles of photons and of boxes of pixels turns red on a planted fault."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from corruptions import test_noise_and_digital as checks
from digital_references import hold
from functional import test_photometric, test_poisson, test_resample

from robustmeta.functional import hsv, photometric, poisson, resample

Patch = pytest.MonkeyPatch


def hue_of_the_first_largest(red: Any, green: Any, blue: Any) -> Any:
    return hsv_before(blue, green, red)


hsv_before = hsv.to_hsv


def test_a_hue_that_turns_the_other_way(monkeypatch: Patch) -> None:
    monkeypatch.setattr(hsv, "to_hsv", hue_of_the_first_largest)
    monkeypatch.setattr(test_photometric, "to_hsv", hue_of_the_first_largest)
    with pytest.raises(AssertionError):
        test_photometric.test_hsv_is_that_of_the_standard_library()
    with pytest.raises(AssertionError):
        test_photometric.test_rgb_comes_back()
    with pytest.raises(AssertionError, match="are off"):
        hold(checks.saturate)


def test_a_whole_number_that_rounding_is_forgiven(monkeypatch: Patch) -> None:
    for module in (hsv, photometric):
        monkeypatch.setattr(module, "cut", lambda x: (x * 255 + 1e-6).astype(np.uint8))
    with pytest.raises(AssertionError):
        test_photometric.test_what_falls_short_of_a_whole_number_in_float64_is_cut_as_numpy_cuts_it()


def test_gray_that_is_not_tinted(monkeypatch: Patch) -> None:
    def change(k: Any, work: Callable[..., Any]) -> Any:
        gray = k.max(1, keepdims=True) == k.min(1, keepdims=True)
        return np.where(gray, k, hsv.recolour(k, work))

    monkeypatch.setattr(photometric, "recolour", change)
    with pytest.raises(AssertionError):
        test_photometric.test_gray_among_colours_turns_red()
    with pytest.raises(AssertionError, match="are off"):
        hold(checks.saturate)


def test_cells_that_are_read_one_too_far(monkeypatch: Patch) -> None:
    table, cumulative = poisson._tables(60)
    monkeypatch.setattr(poisson, "_tables", lambda scale: (table.roll(-1), cumulative))
    with pytest.raises(AssertionError):
        test_poisson.test_every_gray_has_scipys_quantiles(60)


def test_cells_that_are_called_settled_too_early(monkeypatch: Patch) -> None:
    table, cumulative = poisson._tables(60)
    monkeypatch.setattr(poisson, "_tables", lambda scale: (table.where(table >= 0, table.roll(1)).abs(), cumulative))
    with pytest.raises(AssertionError):
        test_poisson.test_every_gray_has_scipys_quantiles(60)


def test_other_brightnesses_that_are_taken_for_the_nearest_gray(monkeypatch: Patch) -> None:
    monkeypatch.setattr(poisson, "OTHER", 1.0)
    with pytest.raises(AssertionError):
        test_poisson.test_so_has_every_other_brightness(60)


def test_a_quantile_that_is_one_too_large(monkeypatch: Patch) -> None:
    real = poisson.pdtr
    monkeypatch.setattr(poisson, "pdtr", lambda n, mean: real(n - 1, mean))
    with pytest.raises(AssertionError):
        test_poisson.test_the_quantile_by_hand()


def test_ties_that_go_down(monkeypatch: Patch) -> None:
    monkeypatch.setattr(resample.np, "copysign", lambda size, sign: -size)
    with pytest.raises(AssertionError):
        test_resample.test_means_of_boxes_are_rounded_and_ties_go_up()
    with pytest.raises(AssertionError):
        test_resample.test_every_sum_of_a_box_is_rounded_as_pillow_rounds_it(2)


def test_ties_that_always_go_up(monkeypatch: Patch) -> None:
    monkeypatch.setattr(resample.np, "copysign", lambda size, sign: size)
    with pytest.raises(AssertionError):
        test_resample.test_every_sum_of_a_box_is_rounded_as_pillow_rounds_it(10)


def test_sums_in_16_bits(monkeypatch: Patch) -> None:
    monkeypatch.setattr(resample.np, "int32", np.uint16)
    with pytest.raises(AssertionError):
        test_resample.test_sums_of_large_boxes_do_not_overflow()


def test_boxes_in_exact_arithmetic(monkeypatch: Patch) -> None:
    def exact(size: int, small: int) -> tuple[Any, Any]:
        pixel, i = 2 * np.arange(size)[:, None] + 1, np.arange(small)
        inside = (pixel * small > 2 * i * size) & (pixel * small <= 2 * (i + 1) * size)
        return inside.argmax(0), inside.sum(0)

    monkeypatch.setattr(test_resample, "windows", exact)
    with pytest.raises(AssertionError):
        test_resample.test_boxes_hold_the_pixels_that_pillow_weighs()


def test_nearest_pixels_by_multiplication(monkeypatch: Patch) -> None:
    monkeypatch.setattr(test_resample, "nearest", lambda n, m: ((np.arange(n) + 0.5) * (m / n)).astype(int))
    with pytest.raises(AssertionError):
        test_resample.test_nearest_pixels_are_pillows()


def test_columns_before_rows(monkeypatch: Patch) -> None:
    def turned(images: Any, height: int, width: int) -> Any:
        return resample.shrink(np.ascontiguousarray(images.swapaxes(1, 2)), width, height).swapaxes(1, 2)

    monkeypatch.setattr(test_resample, "shrink", turned)
    with pytest.raises(AssertionError):
        test_resample.test_shrunk_images_are_pillows((32, 32))
