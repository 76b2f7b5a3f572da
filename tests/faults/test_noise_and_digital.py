"""Each check of the noises and of the digital corruptions turns red on a planted fault."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from corruptions import test_noise_and_digital as checks
from digital_references import PUBLISHED, hold
from torch import Tensor

from robustmeta.functional import compression, hsv, photometric, poisson, resample
from robustmeta.functional.quantise import through_bytes
from robustmeta.shifts.corruption import Corruption

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
