"""Each check of the noises, of the digital corruptions and of the generator turns red on a planted fault."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from core.test_rng_blocks import hold as hold_draws
from corruptions import test_noise_and_digital as checks
from digital_references import PUBLISHED, hold
from functional import test_photometric, test_poisson, test_resample
from torch import Tensor

from robustmeta import rng as rng_module
from robustmeta.functional import compression, hsv, photometric, poisson, resample
from robustmeta.functional.quantise import through_bytes
from robustmeta.shifts.corruption import Corruption

pytestmark = pytest.mark.slow

Patch = pytest.MonkeyPatch
CUT = [c for c in checks.ALL if c.name not in ("pixelate", "jpeg_compression", "impulse_noise")]  # not whole numbers
EACH = pytest.mark.parametrize("corruption", checks.ALL, ids=[c.name for c in checks.ALL])


@EACH
def test_a_severity_off_by_one(corruption: Corruption) -> None:
    tables = {size: (*levels[1:], levels[0]) for size, levels in corruption.tables.items()}
    with pytest.raises(AssertionError, match="table 224"):
        hold(replace(corruption, tables=tables))


@EACH
def test_the_levels_of_another_size(corruption: Corruption) -> None:
    with pytest.raises(AssertionError, match="table 32"):
        hold(replace(corruption, tables={**corruption.tables, "32": PUBLISHED[corruption.name]["224"]}))


@EACH
def test_a_level_that_is_not_passed_on_as_it_is(corruption: Corruption) -> None:
    levels = corruption.tables["224"]

    def milder(x: Tensor, level: Any, rng: Any) -> Tensor:
        place = levels.index(level) if level in levels else 0
        return corruption.function(x, levels[max(0, place - 1)], rng)

    with pytest.raises(AssertionError, match="are off"):
        hold(replace(corruption, in_bytes=None, function=milder))


@pytest.mark.parametrize("corruption", CUT, ids=[c.name for c in CUT])
def test_rounding_where_the_published_images_are_cut(corruption: Corruption, monkeypatch: Patch) -> None:
    monkeypatch.setattr("robustmeta.shifts.corruption.to_bytes", lambda x: x.mul(255).round().byte())
    monkeypatch.setattr(hsv, "cut", lambda x: np.rint(x * 255).astype(np.uint8))
    monkeypatch.setattr(photometric, "cut", lambda x: np.rint(x * 255).astype(np.uint8))
    with pytest.raises(AssertionError, match="are off"):
        hold(corruption)


def one_for_all_channels(x: Tensor, level: float, rng: Any) -> Tensor:
    noise = rng.normal(*x.shape[1:])[:, :1]
    return (x + level * noise).clamp(0, 1)


def drawn_again(x: Tensor, level: float, rng: Any) -> Tensor:
    rng.normal(1)
    return (x + level * rng.normal(*x.shape[1:])).clamp(0, 1)


def added(x: Tensor, level: float, rng: Any) -> Tensor:
    return (x + level * rng.normal(*x.shape[1:])).clamp(0, 1)


def mostly_salt(x: Tensor, level: float, rng: Any) -> Tensor:
    hit, kind = rng.uniform(*x.shape[1:]), rng.uniform(*x.shape[1:])
    return torch.where(hit < level, (kind <= 0.6).float(), x)


def half_as_many(x: Tensor, level: float, rng: Any) -> Tensor:
    hit, kind = rng.uniform(*x.shape[1:]), rng.uniform(*x.shape[1:])
    return torch.where(hit < level / 2, (kind <= 0.5).float(), x)


def whole_pixels(x: Tensor, level: float, rng: Any) -> Tensor:
    hit, kind = rng.uniform(*x.shape[1:])[:, :1], rng.uniform(*x.shape[1:])
    return torch.where(hit < level, (kind <= 0.5).float(), x)


def gaussian_counts(x: Tensor, level: float, rng: Any) -> Tensor:
    mean = x.double() * level
    z = torch.special.ndtri(rng.uniform(*x.shape[1:]).double().clamp(1e-9))
    return ((mean + mean.sqrt() * z).round() / level).clamp(0, 1).float()


def dark_noise(x: Tensor, level: float, rng: Any) -> Tensor:
    return poisson.shot((x + 1e-3).clamp(max=1), level, rng.uniform(*x.shape[1:]))


def all_channels(x: Tensor, level: float, rng: Any) -> Tensor:
    return (x + level).clamp(0, 1)


def about_the_mean(x: Tensor, level: tuple[float, float], rng: Any) -> Tensor:
    mean = x.mean(1, keepdim=True)
    return (mean + level[0] * (x - mean)).clamp(0, 1)


def one_mean(x: Tensor, level: float, rng: Any) -> Tensor:
    mean = x.mean((1, 2, 3), keepdim=True)
    return (mean + level * (x - mean)).clamp(0, 1)


def by_area(x: Tensor, level: float, rng: Any) -> Tensor:
    size = [int(s * level) for s in x.shape[2:]]
    small = F.interpolate(x, size, mode="area").mul(255).round() / 255
    return F.interpolate(small, x.shape[2:], mode="nearest-exact")


def up_smoothly(x: Tensor, level: float, rng: Any) -> Tensor:
    blocks = through_bytes(x, lambda k: resample.pixelate(k, level))
    small = F.interpolate(blocks, [int(s * level) for s in x.shape[2:]], mode="nearest-exact")
    return F.interpolate(small, x.shape[2:], mode="bilinear").clamp(0, 1)


def next_quality(x: Tensor, level: int, rng: Any) -> Tensor:
    return through_bytes(x, lambda k: compression.jpeg(k, level + 1))


def blue_first(x: Tensor, level: int, rng: Any) -> Tensor:
    return through_bytes(x.flip(1), lambda k: compression.jpeg(k, level)).flip(1)


WRONG: list[tuple[str, Callable[..., Tensor]]] = [
    *(("gaussian_noise", f) for f in (one_for_all_channels, drawn_again)),
    ("speckle_noise", added),
    *(("impulse_noise", f) for f in (mostly_salt, half_as_many, whole_pixels)),
    *(("shot_noise", f) for f in (gaussian_counts, dark_noise)),
    *(("brightness", f) for f in (all_channels,)),
    ("saturate", about_the_mean),
    ("contrast", one_mean),
    *(("pixelate", f) for f in (by_area, up_smoothly)),
    *(("jpeg_compression", f) for f in (next_quality, blue_first)),
]


@pytest.mark.parametrize(("name", "function"), WRONG, ids=lambda v: getattr(v, "__name__", v))
def test_another_law(name: str, function: Callable[..., Tensor]) -> None:
    corruption = {c.name: c for c in checks.ALL}[name]
    with pytest.raises(AssertionError, match="are off"):
        hold(replace(corruption, in_bytes=None, function=function))


def named(name: str, function: Callable[..., Tensor], monkeypatch: Patch) -> None:
    """Give the checks a corruption that follows another function."""
    monkeypatch.setattr(checks, name, replace(getattr(checks, name), in_bytes=None, function=function))


@pytest.mark.parametrize("photons", [60, 3])
def test_counts_that_are_not_poisson(photons: int, monkeypatch: Patch) -> None:
    named("shot_noise", gaussian_counts, monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_counts_of_photons_are_poisson(photons, 40)
    named("shot_noise", lambda x, level, rng: poisson.shot(1.02 * x, level, rng.uniform(*x.shape[1:])), monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_counts_of_photons_are_poisson(photons, 128)


@pytest.mark.parametrize("fault", [mostly_salt, half_as_many, whole_pixels])
def test_impulses_of_another_law(fault: Callable[..., Tensor], monkeypatch: Patch) -> None:
    named("impulse_noise", fault, monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_impulses_hit_each_value_on_its_own_half_of_them_white()


def test_impulses_that_jump_between_severities(monkeypatch: Patch) -> None:
    named("impulse_noise", lambda x, level, rng: (x + level * rng.normal(*x.shape[1:])).round(), monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_severities_of_impulse_noise_hit_the_same_values_and_more()


def test_speckle_that_is_added(monkeypatch: Patch) -> None:
    named("speckle_noise", added, monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_speckle_is_proportional_to_the_light()


def test_gray_that_is_tinted_or_brightened_too_much(monkeypatch: Patch) -> None:
    named("saturate", lambda x, level, rng: x * (1 - level[1]), monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_gray_images_keep_their_one_channel_where_colour_images_change_hues()
    monkeypatch.undo()
    named("brightness", lambda x, level, rng: (x + level + 0.5 / 255).clamp(0, 1), monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_gray_images_keep_their_one_channel_where_colour_images_change_hues()


def test_a_gray_that_differs_from_equal_colours(monkeypatch: Patch) -> None:
    wrong = replace(
        checks.jpeg_compression,
        in_bytes=lambda k, q: compression.jpeg(k, q + 9 * (k.shape[1] == 1)),
    )
    with pytest.raises(AssertionError):
        checks.test_gray_is_what_equal_colours_are(wrong)


def test_a_jpeg_of_another_codec(monkeypatch: Patch) -> None:
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    real = cv2.imencode
    monkeypatch.setattr(compression.cv2, "imencode", lambda ext, image, settings: real(ext, image, settings + sampling))
    with pytest.raises(AssertionError):
        checks.test_jpeg_is_pillow_bit_for_bit(3, (33, 47))


def test_a_mean_that_depends_on_how_it_is_summed(monkeypatch: Patch) -> None:
    def contrast(x: Tensor, level: float, rng: Any) -> Tensor:
        parts = [p.sum(dtype=torch.float32) for p in x.flatten(1).chunk(torch.get_num_threads() * len(x), 1)]
        return (level * x + (1 - level) * torch.stack(parts).sum() / x[0].numel() / len(x)).clamp(0, 1)

    named("contrast", contrast, monkeypatch)
    with pytest.raises(AssertionError):
        checks.test_contrast_does_not_depend_on_how_threads_share_an_image()


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


def shifted(z: Any) -> Any:
    first, second = uniform_before(z)
    return first, np.roll(second, 1, -1)


def swapped(z: Any) -> Any:
    return uniform_before(z)[::-1]


uniform_before = rng_module._uniform


@pytest.mark.parametrize("fault", [shifted, swapped])
def test_halves_of_a_draw_that_are_mixed_up(fault: Callable[..., Any], monkeypatch: Patch) -> None:
    monkeypatch.setattr(rng_module, "_uniform", fault)
    with pytest.raises(AssertionError):
        hold_draws((2,), (7,))


def test_a_normal_that_is_off_in_its_last_bits(monkeypatch: Patch) -> None:
    real = rng_module._normal
    monkeypatch.setattr(rng_module, "_normal", lambda z: tuple(v * np.float32(1 + 1e-7) for v in real(z)))
    with pytest.raises(AssertionError):
        hold_draws((2,), (3, 31, 29))


def test_a_block_that_starts_again(monkeypatch: Patch) -> None:
    real = rng_module.Rng._each_block

    def again(self: Any, n: int, store: Callable[..., None]) -> None:
        seen: list[Any] = []

        def first(rows: Any, columns: Any, z: Any) -> None:
            seen.append(z)
            store(rows, columns, seen[0][:, : z.shape[1]] if columns.start else z)

        real(self, n, first)

    monkeypatch.setattr(rng_module, "BLOCK", 16)
    monkeypatch.setattr(rng_module.Rng, "_each_block", again)
    with pytest.raises(AssertionError):
        hold_draws((1,), (3, 31, 29))
