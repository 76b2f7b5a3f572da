"""Filters, rasters and maps of blurs: worked numbers, and SciPy."""

import math

import cv2
import numpy as np
import pytest
import torch
from blur_laws import raster, tilt
from scipy import ndimage

from robustmeta.functional.blur import aliased_disk, correlate, gaussian, line, smooth, trimmed
from robustmeta.functional.elastic import displaced, field, tilted
from robustmeta.functional.glass import sweep
from robustmeta.functional.motion import motion_blur, steps
from robustmeta.functional.zoom import placed, zoom_mean
from robustmeta.rng import Rng

SIZES = [(1, 1), (2, 3), (5, 28), (28, 28), (41, 29)]


def noise(*shape: int) -> torch.Tensor:
    return Rng(0, ("noise",), [0]).uniform(*shape)[0]


def test_a_line_of_weights_is_its_formula() -> None:
    a, b = math.exp(-0.5), math.exp(-2.0)
    total = 1 + 2 * (a + b)
    np.testing.assert_allclose(line(5, 1.0), np.array([b, a, 1, a, b]) / total, atol=1e-15)
    assert line(1, 0.0).tolist() == [1.0]
    np.testing.assert_allclose(gaussian(3, 1.0)[0], np.array([a * a, a, a * a]) / (1 + 2 * a) ** 2, atol=1e-15)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.05, 0.4, 1.5, 6, (0.7, 3.0)])
def test_smoothing_is_scipys(size: tuple[int, int], sigma: float | tuple[float, float]) -> None:
    x = noise(2, 3, *size).double()
    sigmas = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    for truncate, mode, border in ((4, "nearest", cv2.BORDER_REPLICATE), (3, "reflect", cv2.BORDER_REFLECT)):
        want = ndimage.gaussian_filter(x.numpy(), (0, 0, *sigmas), mode=mode, truncate=truncate)
        np.testing.assert_allclose(smooth(x, sigma, truncate, border), want, atol=1e-12)
        np.testing.assert_allclose(smooth(x.float(), sigma, truncate, border), want, atol=1e-6)


def test_nothing_to_smooth_is_a_copy() -> None:
    x = noise(2, 1, 9, 9)
    made = smooth(x, 0.05)
    assert torch.equal(made, x)
    assert made.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("size", SIZES)
def test_a_kernel_is_applied_as_it_stands(size: tuple[int, int]) -> None:
    x, kernel = noise(2, *size).double(), noise(7, 7).double()
    want = np.stack([ndimage.correlate(p, kernel.numpy(), mode="mirror") for p in x.numpy()])
    np.testing.assert_allclose(correlate(x, kernel), want, atol=1e-12)


def test_a_kernel_is_cut_to_what_counts() -> None:
    kernel = torch.zeros(9, 9, dtype=torch.float64)
    kernel[4, 4], kernel[3, 6], kernel[0, 0] = 2.0, 1e-11, 1e-12  # the last is 5e-13 of the largest
    cut = trimmed(kernel)
    assert cut.shape == (5, 5)
    assert (float(cut[2, 2]), float(cut[1, 4]), int(cut.count_nonzero())) == (2.0, 1e-11, 2)
    assert trimmed(aliased_disk(0.3, 0.4)).shape == (3, 3)
    assert trimmed(aliased_disk(10, 0.5)).shape == (21, 21)


def test_a_pass_over_one_row_follows_its_chain() -> None:
    # of 5 x 7 pixels, three are visited: (3, 5) <- (3, 3), then (3, 4) <- (3, 5), then (3, 3) <- (2, 4)
    shifts = torch.tensor([[-2, 0], [1, 0], [1, -1]]).view(1, 1, 3, 2)
    source = sweep(shifts, 5, 7, 2)[0].tolist()
    assert source == [*range(24), 18, 24, 24, *range(27, 35)]


@pytest.mark.parametrize("reach", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(9, 9), (16, 11), (28, 30)])
def test_a_pass_is_the_loop_over_pixels(reach: int, size: tuple[int, int]) -> None:
    shape = (size[0] - 2 * reach, size[1] - 2 * reach, 2)
    shifts = Rng(reach, ("shifts",), range(5)).integers(-reach, reach, *shape)
    shifts[0], shifts[1, ..., 0], shifts[1, ..., 1] = reach - 1, 1 * (reach > 1), 0  # the longest chains
    made = sweep(shifts, *size, reach)
    for got, given in zip(made, shifts, strict=True):
        pixels = np.arange(size[0] * size[1]).reshape(1, *size)
        raster(pixels, given.numpy(), reach)
        np.testing.assert_array_equal(got, pixels.ravel())


def test_an_image_too_small_for_a_pass_stays() -> None:
    assert sweep(torch.zeros(1, 0, 0, 2, dtype=torch.int64), 4, 4, 2).tolist() == [list(range(16))]


def test_motion_takes_whole_steps() -> None:
    assert steps(torch.tensor([0.0]), 3)[0].tolist() == [[0, 0], [0, 1], [0, 2]]
    assert steps(torch.tensor([45.0]), 5)[0].tolist() == [[0, 0], [1, 1], [1, 1], [2, 2], [3, 3]]  # i * 0.7071 - 0.5
    assert steps(torch.tensor([-70.0]), 4)[0].tolist() == [[0, 0], [-1, 0], [-2, 1], [-3, 1]]


def test_motion_draws_a_point_out_to_one_side() -> None:
    x = torch.zeros(1, 1, 3, 6)
    x[0, 0, 1, 4] = 1
    k = np.exp([0, -0.5, -2.0])
    k /= k.sum()
    want = np.zeros((3, 6))
    want[1, 2:5] = k[::-1]
    np.testing.assert_allclose(motion_blur(x, torch.zeros(1), 1, 1.0)[0, 0], want, atol=1e-7)
    assert float(motion_blur(torch.ones(1, 1, 3, 6), torch.zeros(1), 1, 1.0).min()) == pytest.approx(1, abs=1e-6)


def test_motion_that_leaves_the_image_is_left_out_and_darkens() -> None:
    k = np.exp(-(np.arange(11) ** 2) / 50)
    made = motion_blur(torch.ones(2, 1, 12, 6), torch.tensor([0.0, 90.0]), 5, 5.0)
    np.testing.assert_allclose(made[0], k[:6].sum() / k.sum(), atol=1e-6)  # a shift of 6 is as wide as the image
    np.testing.assert_allclose(made[1], 1, atol=1e-6)  # 10 rows down are still inside


def enlarged(n: int, factor: float) -> np.ndarray:
    """The middle of a line of n pixels enlarged by SciPy: one row for each pixel of the result."""
    crop = math.ceil(n / factor)
    top = (n - crop) // 2
    return ndimage.zoom(np.eye(n)[top : top + crop], (factor, 1), order=1)


@pytest.mark.parametrize("factor", [1.0, 1.01, 1.2, 1.33, 2.0, 4.5])
def test_a_zoom_is_scipys_on_each_axis(factor: float) -> None:
    for n in (28, 29, 32, 36, 64, 84):
        np.testing.assert_allclose(placed(n, factor).toarray(), enlarged(n, factor)[:n], atol=1e-12, err_msg=f"{n}")


def test_the_corner_and_the_middle_are_the_same_for_the_published_factors() -> None:
    factors = {float(f) for step in (0.01, 0.02, 0.03) for f in np.arange(1, 1.31, step)}
    large = [round(math.ceil(n / f) * f) - n for n in range(28, 513) for f in factors]
    assert (min(large), max(large)) == (0, 1)


def test_a_zoom_by_two_of_four_pixels() -> None:
    want = [[0, 1, 0, 0], [0, 2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3, 0], [0, 0, 1, 0]]
    np.testing.assert_allclose(placed(4, 2.0).toarray(), want, atol=1e-15)
    row = torch.tensor([0.0, 3.0, 6.0, 0.0]).expand(1, 1, 4, 4)
    mean = zoom_mean(row, (1.0, 2.0))  # the image twice, and (3, 4, 5, 6)
    np.testing.assert_allclose(mean[0, 0], np.broadcast_to([1, 10 / 3, 17 / 3, 2], (4, 4)), rtol=1e-6)


@pytest.mark.parametrize("size", [(28, 28), (41, 29)])
def test_a_displacement_is_scipys(size: tuple[int, int]) -> None:
    x = noise(2, 3, *size)
    right, down = (50 * (noise(2, 2, *size)[i] - 0.5) for i in range(2))  # far beyond the border
    y, x_ = np.mgrid[: size[0], : size[1]]
    for i in range(2):
        at = (y + down[i].double().numpy(), x_ + right[i].double().numpy())
        want = [ndimage.map_coordinates(c, at, order=1, mode="reflect") for c in x[i].double().numpy()]
        np.testing.assert_allclose(displaced(x, right, down)[i], want, atol=3e-5)


def test_a_displacement_to_the_right_takes_from_the_right() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    one, none = torch.ones(1, 3, 4), torch.zeros(1, 3, 4)
    assert displaced(x, one, none)[0, 0].round().tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    assert displaced(x, none, one)[0, 0, :, 0].round().tolist() == [4, 8, 8]


def test_a_field_is_smoothed_in_parts_of_each_side() -> None:
    want = ndimage.gaussian_filter(noise(1, 40, 80).double().numpy(), (0, 2, 4), mode="reflect", truncate=3)
    np.testing.assert_allclose(field(noise(1, 40, 80), 0.05), want, atol=1e-6)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (41, 29), (30, 45)])
def test_a_tilt_is_the_affine_map_of_three_points(size: tuple[int, int]) -> None:
    x, moves = noise(4, 3, *size), 8 * Rng(0, ("moves",), range(4)).uniform(3, 2) - 4
    made = tilted(x, moves)
    for got, image, move in zip(made, x.double().numpy(), moves.double().numpy(), strict=True):
        np.testing.assert_allclose(got, tilt(image, move), atol=1e-4)


def test_no_moves_are_no_tilt_and_equal_moves_shift() -> None:
    x = noise(1, 1, 28, 28)
    np.testing.assert_allclose(tilted(x, torch.zeros(1, 3, 2)), x, atol=1e-5)
    shifted = tilted(x, torch.tensor([[2.0, -1.0]]).expand(1, 3, 2))  # 2 to the right, 1 up
    np.testing.assert_allclose(shifted[..., :-1, 2:], x[..., 1:, :-2], atol=1e-5)


def test_points_that_fall_on_a_line_have_no_map() -> None:
    q = 28 // 3
    flat = torch.tensor([[[0.0, -2 * q], [0.0, 0.0], [0.0, 0.0]]])  # the first falls on the second
    x = noise(1, 1, 28, 28)
    assert torch.equal(tilted(x, flat), x[..., :1, :1].expand_as(x))
