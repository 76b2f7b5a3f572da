import math

import numpy as np
import pytest
import scipy.ndimage
import torch

from robustmeta.functional import frost, texture
from robustmeta.functional.luma import like, luma
from robustmeta.functional.plasma import WOBBLE, plasma, power_of_two
from robustmeta.functional.snow import centre, fallen, flakes, magnified, middle, under_snow, whole_bytes
from robustmeta.functional.spatter import liquid, mud, water
from robustmeta.functional.texture import Picture, crops, scaled
from robustmeta.rng import Rng


def draws(n: int, *shape: int) -> torch.Tensor:
    return Rng(0, ("weather",), range(n)).normal(*shape)


def test_luma_is_that_of_television() -> None:
    colours = torch.eye(3)[:, :, None, None]
    torch.testing.assert_close(luma(colours).flatten(), torch.tensor([0.299, 0.587, 0.114]))
    gray = torch.rand(2, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    assert luma(gray) is gray
    torch.testing.assert_close(luma(gray.expand(-1, 3, -1, -1)), gray)
    assert like(gray, colours[:2].expand(-1, -1, 3, 3)).shape == gray.shape
    assert like(colours, colours) is colours


@pytest.mark.parametrize(
    ("n", "power"), [(1, 1), (2, 2), (28, 32), (32, 32), (33, 64), (224, 256), (256, 256), (500, 512)]
)
def test_the_side_of_a_map(n: int, power: int) -> None:
    assert power_of_two(n) == power


def test_the_first_step_of_a_height_map_by_hand() -> None:
    square, horizontal, vertical = 0.5, -0.25, 0.125
    (got,) = plasma(2, 3.0, torch.tensor([[square, horizontal, vertical]]))
    middle_ = 1e4 * square
    want = [[0, middle_ / 2 + 1e4 * horizontal], [middle_ / 2 + 1e4 * vertical, middle_]]
    torch.testing.assert_close(got, torch.tensor(want))


@pytest.mark.parametrize("decay", [1.4, 2.0, 3.0])
def test_the_displacement_falls_by_the_square_of_the_decay(decay: float) -> None:
    side, rows = 16, []
    for step in range(4):
        noise, n = torch.zeros(1, side * side - 1), 2**step
        noise[:, n * n - 1 : 2 * n * n - 1] = 1  # all squares of one step
        (z,) = plasma(side, decay, noise)
        rows.append(float(z[side // n // 2, side // n // 2]))
    want = [(WOBBLE / decay**step) ** 2 for step in range(4)]
    np.testing.assert_allclose(rows, want, rtol=1e-6)


def test_a_height_map_is_a_torus_of_means() -> None:
    """Without noise in the last step every new point is the mean of its four neighbours, across the border too."""
    side = 32
    noise = 2 * Rng(0, ("torus",), range(3)).uniform(side * side - 1) - 1
    noise[:, side * side // 4 - 1 :] = 0
    z = plasma(side, 1.7, noise).double()
    diagonal = sum(z.roll((a, b), (1, 2)) for a in (1, -1) for b in (1, -1)) / 4
    straight = sum(z.roll(a, d) for a in (1, -1) for d in (1, 2)) / 4
    odd, even = slice(1, None, 2), slice(None, None, 2)
    for want, rows, columns in ((diagonal, odd, odd), (straight, even, odd), (straight, odd, even)):
        torch.testing.assert_close(z[:, rows, columns], want[:, rows, columns], rtol=1e-5, atol=1e-2)


def test_height_maps_do_not_depend_on_each_other() -> None:
    noise = 2 * Rng(0, ("torus",), range(5)).uniform(64 * 64 - 1) - 1
    whole = plasma(64, 1.5, noise)
    for i in range(5):
        assert torch.equal(whole[i], plasma(64, 1.5, noise[i : i + 1])[0])


@pytest.mark.parametrize("zoom", [1.0, 1.25, 1.75, 2.0, 2.25, 2.5, 3.0, 4.0, 4.5])
@pytest.mark.parametrize("shape", [(28, 28), (32, 45), (64, 64), (224, 224), (101, 37)])
def test_a_magnified_layer_is_scipys_and_covers_the_image(zoom: float, shape: tuple[int, int]) -> None:
    x = draws(2, *shape).double()
    got = magnified(centre(x, zoom), zoom)
    kept = [math.ceil(n / zoom) for n in shape]
    top, left = ((n - k) // 2 for n, k in zip(shape, kept, strict=True))
    for mine, layer in zip(got.numpy(), x.numpy(), strict=True):
        want = scipy.ndimage.zoom(layer[top : top + kept[0], left : left + kept[1]], zoom, order=1)
        np.testing.assert_allclose(mine, want, atol=1e-12)
    assert got.shape[1] >= shape[0]
    assert got.shape[2] >= shape[1]


def test_flakes_are_what_exceeds_the_threshold() -> None:
    z = torch.tensor([[[-2.0, 0.0], [1.0, 3.0]]])
    got = flakes(z, 0.25, 0.5, 1.0, 0.3)  # heights -0.75, 0.25, 0.75, 1.75
    torch.testing.assert_close(got, torch.tensor([[[[0, 0], [0.75, 1]]]]))


def test_bytes_are_cut_down_and_the_middle_is_the_middle() -> None:
    x = torch.tensor([0.0, 0.99 / 255, 1.01 / 255, 0.5, 1.0])
    torch.testing.assert_close(whole_bytes(x) * 255, torch.tensor([0.0, 0, 1, 127, 255]))
    x = torch.arange(20.0).view(1, 1, 4, 5)
    assert middle(x, 2, 2).flatten().tolist() == [6, 7, 11, 12]
    assert middle(x, 4, 5) is not None
    assert middle(x, 3, 3).flatten().tolist() == [1, 2, 3, 6, 7, 8, 11, 12, 13]


@pytest.mark.parametrize("size", [(3, 5), (8, 8), (28, 29), (64, 40)])
@pytest.mark.parametrize("degrees", [-135.0, -100.0, -90.0, -45.0])
def test_no_tap_of_the_fall_is_lost_on_a_small_layer(size: tuple[int, int], degrees: float) -> None:
    flat = torch.full((2, 1, *size), 0.6)
    got = fallen(flat, torch.full((2,), degrees), 14, 12.0)
    assert got.shape == flat.shape
    assert (got * 255).round().unique().tolist() == [153]


def test_a_flake_leaves_a_trail_of_fading_bytes_below_it() -> None:
    layer = torch.zeros(1, 1, 20, 9)
    layer[..., 3, 4] = 1
    (trail,) = fallen(layer, torch.tensor([-90.0]), 4, 2.0)[0]
    weight = np.exp(-(np.arange(9) ** 2) / 8)
    want = np.rint(255 * weight / weight.sum())
    np.testing.assert_allclose(trail[3:12, 4] * 255, want, atol=1e-3)
    assert np.count_nonzero(trail) == np.count_nonzero(want)


def test_snow_whitens_and_falls_on_both_sides() -> None:
    x = torch.tensor([0.1, 0.5, 0.3])[None, :, None, None].expand(1, 3, 1, 2)
    layer = torch.tensor([[[[0.2, 0.05]]]])
    white = 1.5 * (0.299 * 0.1 + 0.587 * 0.5 + 0.114 * 0.3) + 0.5
    want = [min(1, 0.8 * v + 0.2 * max(v, white) + 0.25) for v in (0.1, 0.5, 0.3)]
    for column in range(2):
        np.testing.assert_allclose(under_snow(x, layer, 0.8)[0, :, 0, column], want, atol=1e-6)
    white_already = torch.ones(1, 1, 1, 2)
    assert torch.equal(under_snow(white_already, layer, 0.5), white_already)


def test_liquid_is_a_smooth_field_above_the_threshold() -> None:
    still = torch.zeros(1, 9, 9)
    even = torch.full((1, 9, 9), 0.7, dtype=torch.float64)
    torch.testing.assert_close(liquid(still, 0.7, 0.3, 2.0, 0.69), even, atol=1e-12, rtol=0)
    assert not liquid(still, 0.68, 0.3, 2.0, 0.69).any()
    drawn = draws(2, 40, 31)
    got = liquid(drawn, 0.65, 0.3, 1.5, 0.66).numpy()
    for mine, z in zip(got, drawn.double().numpy(), strict=True):
        want = scipy.ndimage.gaussian_filter(0.65 + 0.3 * z, 1.5, mode="nearest", truncate=4)
        np.testing.assert_allclose(mine, np.where(want < 0.66, 0, want), atol=1e-12)


def test_water_is_nowhere_where_nothing_is_liquid_and_elsewhere_as_strong_as_asked() -> None:
    fields = torch.stack([torch.zeros(40, 40).double(), *liquid(draws(3, 40, 40), 0.65, 0.3, 1.0, 0.7)])
    got = water(fields, 0.6)
    assert got.dtype == torch.float32
    assert not got[0].any()
    np.testing.assert_allclose(got[1:].amax((1, 2)), 0.6, rtol=1e-6)
    assert not got[fields == 0].any()
    assert bool((got >= 0).all())


def test_mud_covers_well_or_not_at_all() -> None:
    field = torch.zeros(1, 21, 21, dtype=torch.float64)
    field[:, 5:16, 5:16] = 0.7
    got = mud(field, 1.5)
    covered = got > 0
    assert float(got[covered].min()) >= 0.8
    assert float(got[0, 10, 10]) == pytest.approx(1, abs=1e-3)
    assert not covered[0, 5, 5]  # a corner is thin
    smooth = scipy.ndimage.gaussian_filter((field[0] > 0).double().numpy(), 1.5, mode="nearest", truncate=4)
    np.testing.assert_allclose(got[0], np.where(smooth < 0.8, 0, smooth), atol=1e-6)


def test_the_drawn_frost_is_five_pictures_blue_where_dark_that_never_change() -> None:
    pictures = frost.frost_like()
    assert len(pictures) == 5
    for i, (picture, (count, mean, spread)) in enumerate(zip(pictures, frost.PANES, strict=True)):
        assert picture.shape == (512, 512, 3)
        assert picture.dtype == np.uint8
        red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
        assert ((red <= green) & (green <= blue)).all()
        assert len(np.unique(red)) > 100
        again = frost.pane(count, mean, spread, Rng(0, ("frost-like", i), [0]))
        np.testing.assert_array_equal(again, picture)
    flat = np.stack([p.astype(np.float64).ravel() for p in pictures])
    assert np.abs(np.corrcoef(flat) - np.eye(5)).max() < 0.2


def test_crystals_have_ridges_brighter_than_their_planes_and_branches_at_sixty_degrees() -> None:
    hull, barbs, twigs, stem = frost.feathers(50, Rng(0, ("feathers",), [0]))
    assert (len(hull), stem.shape) == (50, (50, frost.BRANCHES, 2))
    length = np.linalg.norm(np.diff(stem, axis=1), axis=-1).sum(1)
    assert (np.diff(length) <= 1e-12).all()
    out = twigs.reshape(50, frost.BRANCHES, 5, 2)
    np.testing.assert_array_equal(out[:, :, 0], stem)  # every branch is gone out and back
    np.testing.assert_array_equal(out[:, :, 2], stem)
    along = np.gradient(stem, axis=1)
    for side, sign in ((1, -1), (3, 1)):
        branch = out[:, :, side] - stem
        turn = np.angle(
            np.exp(1j * (np.arctan2(branch[..., 1], branch[..., 0]) - np.arctan2(along[..., 1], along[..., 0])))
        )
        assert (np.abs(sign * turn - math.pi / 3) < 0.4).all()
    assert len(barbs[0]) == frost.BRANCHES * 2 * (3 * frost.BARBS + 1)
    ice = frost.crystals(50, Rng(0, ("feathers",), [0]))
    assert ice.shape == (512, 512)
    assert 0 <= ice.min() < 0.1
    assert 0.5 < ice.max() <= 1


def picture(height: int, width: int) -> Picture:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture(pixels)


@pytest.mark.parametrize(
    ("factor", "shape"), [(1.1, (66, 111)), (2.0, (120, 200)), (1.0, (60, 100)), (0.3, (18, 30)), (0.2, (12, 20))]
)
def test_a_picture_is_scaled_up_to_whole_pixels_and_down_to_the_nearest(factor: float, shape: tuple[int, int]) -> None:
    some = picture(60, 100)
    got = scaled(some, factor)
    assert got.shape == (3, *shape)
    if factor == 1:
        np.testing.assert_array_equal(got, np.moveaxis(some.pixels, -1, 0))


def test_crops_lie_anywhere_in_any_of_the_pictures() -> None:
    size, n = 16, 4000
    ramps = [np.zeros((40, 60, 3), np.uint8) for _ in range(3)]
    for i, ramp in enumerate(ramps):
        ramp[..., 0], ramp[..., 1], ramp[..., 2] = np.arange(40)[:, None], np.arange(60), i
    got = crops(tuple(map(Picture, ramps)), 1.0, (size, size), Rng(0, ("crops",), range(n)))
    top, left, which = (got[:, c, 0, 0].long() for c in range(3))
    assert torch.equal(got[:, 0, :, 0].long(), top[:, None] + torch.arange(size))
    assert torch.equal(got[:, 1, 0].long(), left[:, None] + torch.arange(size))
    for values, last in ((top, 40 - size - 1), (left, 60 - size - 1), (which, 2)):
        count = torch.bincount(values, minlength=last + 1).double()
        assert len(count) == last + 1
        assert float((count - n / (last + 1)).square().sum() / (n / (last + 1))) < 2 * last + 20  # chi-squared


@pytest.mark.parametrize("size", [(64, 64), (60, 200), (300, 50)])
@pytest.mark.parametrize("factor", [1.1, 0.2])
def test_too_small_a_picture_is_magnified(size: tuple[int, int], factor: float) -> None:
    got = crops((picture(60, 100),), factor, size, Rng(0, ("crops",), range(3)))
    assert got.shape == (3, 3, *size)
    assert got.float().std((1, 2, 3)).min() > 10


def test_pictures_of_the_same_pixels_are_scaled_once_each() -> None:
    some, scaled_before = picture(30, 30), texture.scaled.cache_info().misses
    for _ in range(3):
        crops((some,), 1.1, (8, 8), Rng(0, ("crops",), range(5)))
    assert texture.scaled.cache_info().misses == scaled_before + 1
