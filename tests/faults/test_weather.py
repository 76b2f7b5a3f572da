"""Each check of snow, frost, fog and spatter turns red on a planted fault."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from weather_references import LAWS, PUBLISHED, frost_with, hold

from robustmeta.corruptions import fog as fog_module
from robustmeta.corruptions import frost as frost_module
from robustmeta.corruptions import snow as snow_module
from robustmeta.corruptions import spatter as spatter_module
from robustmeta.corruptions.fog import fog
from robustmeta.corruptions.frost import frost
from robustmeta.corruptions.snow import snow
from robustmeta.corruptions.spatter import spatter
from robustmeta.functional import plasma, texture
from robustmeta.functional import snow as snow_functions
from robustmeta.functional import spatter as spatter_functions
from robustmeta.functional.frost import frost_like
from robustmeta.functional.texture import Picture
from robustmeta.shifts.corruption import Corruption

LAW = {**LAWS, "frost": frost_with(list(frost_like()))}
WEATHER = (fog, snow, frost, spatter)
Patch = pytest.MonkeyPatch


@pytest.mark.parametrize("corruption", WEATHER, ids=lambda c: c.name)
def test_a_severity_off_by_one(corruption: Corruption) -> None:
    tables = {size: (*levels[1:], levels[0]) for size, levels in corruption.tables.items()}
    with pytest.raises(AssertionError, match="table 224"):
        hold(replace(corruption, tables=tables), LAW[corruption.name])


@pytest.mark.parametrize("corruption", WEATHER, ids=lambda c: c.name)
def test_the_levels_of_another_size(corruption: Corruption) -> None:
    tables = {**corruption.tables, "64": PUBLISHED[corruption.name]["32"]}
    with pytest.raises(AssertionError, match="table 64"):
        hold(replace(corruption, tables=tables), LAW[corruption.name])


@pytest.mark.parametrize("corruption", WEATHER, ids=lambda c: c.name)
def test_a_level_that_is_not_passed_on_as_it_is(corruption: Corruption) -> None:
    levels = corruption.tables["224"]

    def milder(x: Tensor, level: Any, rng: Any) -> Tensor:
        place = levels.index(level) if level in levels else 0
        return corruption.function(x, levels[max(0, place - 1)], rng)

    with pytest.raises(AssertionError, match="off"):
        hold(replace(corruption, function=milder), LAW[corruption.name])


def smooth_clouds(patch: Patch) -> None:
    patch.setattr(fog_module, "plasma", lambda side, decay, u: plasma.plasma(side, decay**0.5, u))


def flat_start(patch: Patch) -> None:
    patch.setattr(plasma, "WOBBLE", 10.0)
    kept = plasma.plasma
    patch.setattr(fog_module, "plasma", lambda side, decay, u: kept(side, decay, u).roll(1, 1))


def cut_first(patch: Patch) -> None:
    patch.setattr(
        fog_module, "plasma", lambda side, decay, u: plasma.plasma(side, decay, u)[:, :28, :28].repeat(1, 3, 3)
    )


def one_sided_noise(patch: Patch) -> None:
    patch.setattr(fog_module, "plasma", lambda side, decay, u: plasma.plasma(side, decay, (u + 1) / 2))


def transposed_noise(patch: Patch) -> None:
    patch.setattr(fog_module, "plasma", lambda side, decay, u: plasma.plasma(side, decay, u).mT)


def no_threshold(patch: Patch) -> None:
    patch.setattr(snow_module, "flakes", lambda z, m, s, zoom, t: snow_functions.flakes(z, m, s, zoom, -9))


def upper_left(patch: Patch) -> None:
    patch.setattr(snow_module, "middle", lambda x, height, width: x[..., :height, :width])


def no_bytes_before(patch: Patch) -> None:
    patch.setattr(snow_module, "whole_bytes", lambda x: x)


def another_angle(patch: Patch) -> None:
    patch.setattr(snow_module, "fallen", lambda x, d, r, s: snow_functions.fallen(x, d + 90, r, s))


def two_sided(patch: Patch) -> None:
    def both(x: Tensor, d: Tensor, r: int, s: float) -> Tensor:
        return (snow_functions.fallen(x, d, r, s) + snow_functions.fallen(x, d + 180, r, s)) / 2

    patch.setattr(snow_module, "fallen", both)


def one_layer(patch: Patch) -> None:
    def once(x: Tensor, layer: Tensor, mix: float) -> Tensor:
        white = torch.maximum(x, snow_functions.luma(x) * 1.5 + 0.5)
        return (mix * x + (1 - mix) * white + layer).clamp(0, 1)

    patch.setattr(snow_module, "under_snow", once)


def mean_for_luma(patch: Patch) -> None:
    patch.setattr(snow_functions, "luma", lambda x: x.mean(1, keepdim=True))


def half_a_pixel(patch: Patch) -> None:
    def corner_unaligned(x: Tensor, zoom: float) -> Tensor:
        size = [round(n * zoom) for n in x.shape[1:]]
        return torch.nn.functional.interpolate(x[:, None], size, mode="bilinear", align_corners=False)[:, 0]

    patch.setattr(snow_functions, "magnified", corner_unaligned)


def lost_taps(patch: Patch) -> None:
    patch.setattr(snow_functions.F, "pad", lambda x, room, mode: x)


def blue_for_red(patch: Patch) -> None:
    drawn = frost_module.Frost(tuple(Picture(p[..., ::-1].copy()) for p in frost_like()))
    patch.setattr(frost_module, "_drawn", lambda: drawn)


def four_pictures(patch: Patch) -> None:
    drawn = frost_module.Frost(frost_module._drawn().pictures[:4])
    patch.setattr(frost_module, "_drawn", lambda: drawn)


def native_size(patch: Patch) -> None:
    kept = frost_module.crops
    patch.setattr(frost_module, "crops", lambda p, f, size, rng: kept(p, 1.0, size, rng))


def antialiased(patch: Patch) -> None:
    def area(picture: Picture, factor: float) -> Any:
        return np.moveaxis(cv2.resize(picture.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), -1, 0)

    patch.setattr(texture, "scaled", area)


def rounded_up(patch: Patch) -> None:
    patch.setattr(Tensor, "floor_", Tensor.round_)


def fainter_edges(patch: Patch) -> None:
    def canny(image: Any, low: float, high: float) -> Any:
        return cv2.Canny(image, 6 * low, 6 * high)

    patch.setattr(spatter_functions, "cv2", SimpleNamespace(**{**vars(cv2), "Canny": canny}))


def mirrored_border(patch: Patch) -> None:
    kept = spatter_functions.smooth
    patch.setattr(spatter_functions, "smooth", lambda x, s: kept(x, s, border=cv2.BORDER_REFLECT))


def flat_water(patch: Patch) -> None:
    patch.setattr(spatter_functions, "EMBOSS", np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32))


def convolved(patch: Patch) -> None:
    patch.setattr(spatter_functions, "EMBOSS", spatter_functions.EMBOSS[::-1, ::-1].copy())


def thin_mud(patch: Patch) -> None:
    patch.setattr(spatter_functions, "SOLID", 0.5)


def far_water(patch: Patch) -> None:
    patch.setattr(spatter_functions, "NEAR", 2.0)


def mud_added(patch: Patch) -> None:
    _, colour = spatter_module.KINDS["mud"]
    added = lambda field, sigma: spatter_functions.mud(field, sigma)
    patch.setitem(spatter_module.KINDS, "mud", (added, colour))


def blue_water(patch: Patch) -> None:
    show, colour = spatter_module.KINDS["water"]
    patch.setitem(spatter_module.KINDS, "water", (show, colour[::-1]))


FAULTS: dict[Corruption, tuple[Callable[[Patch], None], ...]] = {
    fog: (smooth_clouds, flat_start, cut_first, one_sided_noise, transposed_noise),
    snow: (
        *(no_threshold, upper_left, no_bytes_before, another_angle, two_sided),
        *(one_layer, mean_for_luma, half_a_pixel, lost_taps),
    ),
    frost: (blue_for_red, four_pictures, native_size, antialiased, rounded_up),
    spatter: (
        *(fainter_edges, mirrored_border, flat_water, convolved, thin_mud),
        *(far_water, mud_added, blue_water),
    ),
}
PLANTED = [(corruption, fault) for corruption, faults in FAULTS.items() for fault in faults]


@pytest.mark.parametrize(("corruption", "fault"), PLANTED, ids=[fault.__name__ for _, fault in PLANTED])
def test_another_law(corruption: Corruption, fault: Callable[[Patch], None], monkeypatch: Patch) -> None:
    fault(monkeypatch)
    with pytest.raises(AssertionError, match="off"):
        hold(corruption, LAW[corruption.name])
