"""Each check of the blurs and of the elastic transform turns red on a planted fault."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from blur_laws import PUBLISHED, hold, hold_alone
from torch import Tensor

from robustmeta.corruptions import elastic_transform as elastic_module
from robustmeta.corruptions import gaussian_blur as gaussian_module
from robustmeta.corruptions import glass_blur as glass_module
from robustmeta.corruptions import motion_blur as motion_module
from robustmeta.corruptions import zoom_blur as zoom_module
from robustmeta.corruptions.elastic_transform import elastic_transform
from robustmeta.corruptions.gaussian_blur import gaussian_blur
from robustmeta.corruptions.glass_blur import glass_blur
from robustmeta.corruptions.motion_blur import motion_blur
from robustmeta.corruptions.zoom_blur import zoom_blur
from robustmeta.functional import elastic, motion
from robustmeta.functional.blur import smooth
from robustmeta.functional.elastic import displaced, field, tilted
from robustmeta.functional.glass import sweep
from robustmeta.functional.zoom import zoom_mean
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

NEW = (gaussian_blur, glass_blur, motion_blur, zoom_blur, elastic_transform)


@pytest.mark.parametrize("corruption", NEW, ids=lambda c: c.name)
def test_a_severity_off_by_one(corruption: Corruption) -> None:
    for table, levels in corruption.tables.items():
        if table in PUBLISHED[corruption.name]:
            shifted = {**corruption.tables, table: (*levels[1:], levels[0])}
            with pytest.raises(AssertionError, match=f"table {table}"):
                hold(replace(corruption, tables=shifted))


@pytest.mark.parametrize("corruption", NEW, ids=lambda c: c.name)
def test_a_level_that_is_not_passed_on_as_it_is(corruption: Corruption) -> None:
    levels = corruption.tables["224"]

    def other(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return corruption.function(x, levels[levels.index(level) - 1] if level in levels else level, rng)

    with pytest.raises(AssertionError, match=r"table 224, severity 1: .*off"):
        hold(replace(corruption, function=other))


def without_chains(shifts: Tensor, height: int, width: int, reach: int) -> Tensor:
    """Every pixel takes from the image as it was before the pass."""
    own = torch.arange(height * width).repeat(len(shifts), 1)
    inside = (slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1))
    own.view(-1, height, width)[:, *inside] += (shifts[..., 1] * width + shifts[..., 0]).flip(1, 2)
    return own


def true_swap(shifts: Tensor, height: int, width: int, reach: int) -> Tensor:
    """What the published program means to do."""
    pixels = torch.arange(height * width).repeat(len(shifts), 1)
    for n, image in enumerate(pixels.view(-1, height, width).numpy()):
        for r, h in enumerate(range(height - reach, reach, -1)):
            for c, w in enumerate(range(width - reach, reach, -1)):
                dx, dy = shifts[n, r, c].tolist()
                image[h, w], image[h + dy, w + dx] = image[h + dy, w + dx], image[h, w]
    return pixels


GLASS: dict[str, Callable[..., Tensor]] = {
    "all at once": without_chains,
    "a swap": true_swap,
    "from the upper left": lambda shifts, *size: sweep(shifts.flip(1, 2), *size),
    "rows for columns": lambda shifts, *size: sweep(shifts.flip(3), *size),
    "nothing moves": lambda shifts, *size: sweep(torch.zeros_like(shifts), *size),
}


@pytest.mark.parametrize("name", GLASS)
def test_another_raster(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glass_module, "sweep", GLASS[name])
    with pytest.raises(AssertionError, match="off"):
        hold(glass_blur)


def test_rounding_before_the_shuffle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glass_module, "to_bytes", lambda x: x.mul(255).round().byte())
    with pytest.raises(AssertionError, match="off"):
        hold(glass_blur)


class Even(Rng):
    """Draws as far to the left as to the right."""

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        return super().integers(low + 1, high, *shape)


def test_shifts_of_equal_range_on_both_sides() -> None:
    def even(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return glass_blur.function(x, level, Even(rng.seed, rng.stream, rng.keys))

    with pytest.raises(AssertionError, match="off"):
        hold(replace(glass_blur, function=even))


@pytest.mark.parametrize("options", [{"truncate": 3}, {"border": cv2.BORDER_REFLECT}, {"border": cv2.BORDER_CONSTANT}])
@pytest.mark.parametrize(("module", "corruption"), [(gaussian_module, gaussian_blur), (glass_module, glass_blur)])
def test_another_border_or_cut_of_the_gaussian(
    module: Any, corruption: Corruption, options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "smooth", partial(smooth, **options))
    with pytest.raises(AssertionError, match="off"):
        hold(corruption)


def steps_cut(degrees: Tensor, count: int) -> Any:
    radians = np.radians(degrees.double().numpy())
    direction = np.stack([np.sin(radians), np.cos(radians)], -1)[:, None]
    return np.trunc(np.arange(count)[:, None] * direction).astype(np.int64)


motion_steps = motion.steps
MOTION: dict[str, Callable[..., Any]] = {
    "cut to whole pixels": steps_cut,
    "to the other side": lambda degrees, count: -motion_steps(degrees, count),
    "up for down": lambda degrees, count: motion_steps(-degrees, count),
    "along the columns": lambda degrees, count: motion_steps(degrees, count)[..., ::-1],
}


@pytest.mark.parametrize("name", MOTION)
def test_another_trace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion, "steps", MOTION[name])
    with pytest.raises(AssertionError, match="off"):
        hold(motion_blur)


def test_a_trace_that_goes_on_beyond_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion, "steps", lambda degrees, count: motion_steps(degrees, count).clip(-27, 27))
    with pytest.raises(AssertionError, match="table 224, severity 3"):
        hold(motion_blur)


def test_a_wider_range_of_angles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(motion_module, "WIDEST", 90.0)
    with pytest.raises(AssertionError, match="off"):
        hold(motion_blur)


@pytest.mark.parametrize(("given", "taken", "table"), [("round", "cut", "64"), ("cut", "round", "224")])
def test_another_way_to_store(given: str, taken: str, table: str) -> None:
    def other(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return motion_blur.function(x, (*level[:2], taken if level[2] == given else level[2]), rng)

    with pytest.raises(AssertionError, match=f"table {table}, .*off"):
        hold(replace(motion_blur, function=other))


def by_half_pixels(x: Tensor, factors: tuple[float, ...]) -> Tensor:
    """Enlarged as if pixels were areas and not points."""
    height, width = x.shape[2:]
    total = x.clone()
    for factor in factors:
        rows, columns = math.ceil(height / factor), math.ceil(width / factor)
        top, left = (height - rows) // 2, (width - columns) // 2
        part = x[..., top : top + rows, left : left + columns]
        size = [round(rows * factor), round(columns * factor)]
        total += F.interpolate(part, size, mode="bilinear", align_corners=False)[..., :height, :width]
    return total / (len(factors) + 1)


ZOOM: dict[str, Callable[[Tensor, tuple[float, ...]], Tensor]] = {
    "half a pixel": by_half_pixels,
    "itself once": lambda x, factors: (zoom_mean(x, factors) * (len(factors) + 1) - x) / len(factors),
    "without the last": lambda x, factors: zoom_mean(x, factors[:-1]),
    "mirrored": lambda x, factors: zoom_mean(x.flip(-1), factors).flip(-1),
}


@pytest.mark.parametrize("name", ZOOM)
def test_another_mean_of_zooms(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoom_module, "zoom_mean", ZOOM[name])
    with pytest.raises(AssertionError, match="off"):
        hold(zoom_blur)


def aligned(x: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """The displacement mirrored at the centres of the outer pixels."""
    height, width = x.shape[2:]
    rows, columns = torch.arange(height)[:, None] + down, torch.arange(width) + right
    grid = torch.stack([columns * (2 / (width - 1)) - 1, rows * (2 / (height - 1)) - 1], -1)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def black_border(x: Tensor, right: Tensor, down: Tensor) -> Tensor:
    return displaced(F.pad(x, (28,) * 4), *(F.pad(d, (28,) * 4) for d in (right, down)))[..., 28:-28, 28:-28]


ELASTIC: dict[str, tuple[str, Callable[..., Tensor], str]] = {
    "rows for columns": ("displaced", lambda x, right, down: displaced(x, down, right), "224"),
    "the other way": ("displaced", lambda x, right, down: displaced(x, -right, -down), "224"),
    "mirrored at centres": ("displaced", aligned, "224"),
    "black beyond the border": ("displaced", black_border, "224"),
    "a smoother field": ("field", lambda noise, part: field(noise, 2 * part), "224"),
    "not smoothed": ("field", lambda noise, part: noise, "224"),
    "no tilt": ("tilted", lambda x, moves: x.clone(), "224-hendrycks"),
    "tilted back": ("tilted", lambda x, moves: tilted(x, -moves), "224-hendrycks"),
    "two points exchanged": ("tilted", lambda x, moves: tilted(x, moves[:, [1, 0, 2]]), "224-hendrycks"),
    "x for y": ("tilted", lambda x, moves: tilted(x, moves.flip(2)), "224-hendrycks"),
}


@pytest.mark.parametrize("name", ELASTIC)
def test_another_stretch_or_tilt(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, fault, table = ELASTIC[name]
    monkeypatch.setattr(elastic_module, place, fault)
    with pytest.raises(AssertionError, match=f"table {table}, severity 1: .*off"):
        hold(elastic_transform)


def test_a_field_that_is_cut_off_or_mirrored_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elastic, "REACH", 1.5)
    with pytest.raises(AssertionError, match="off"):
        hold(elastic_transform)
    monkeypatch.undo()
    monkeypatch.setattr(elastic, "smooth", lambda x, sigma, reach, border: smooth(x, sigma, reach))
    with pytest.raises(AssertionError, match="off"):
        hold(elastic_transform)


def test_a_displacement_in_parts_of_the_width() -> None:
    def wide(x: Tensor, level: Any, rng: Rng) -> Tensor:
        displacement, *rest = level
        return elastic_transform.function(x, (displacement * x.shape[3] / x.shape[2], *rest), rng)

    with pytest.raises(AssertionError, match=r"table 224, severity 1: .*off"):
        hold(replace(elastic_transform, function=wide))


@pytest.mark.parametrize("corruption", NEW, ids=lambda c: c.name)
def test_an_image_that_depends_on_the_others(corruption: Corruption) -> None:
    def last_bits(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return corruption.function(x, level, rng) * (1 - 2.0**-23 * (len(x) % 2))

    def by_row(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return corruption.function(x, level, Rng(rng.seed, rng.stream, range(len(x))))

    with pytest.raises(AssertionError, match="rows"):
        hold_alone(replace(corruption, function=last_bits))
    if corruption not in (gaussian_blur, zoom_blur):
        with pytest.raises(AssertionError, match="rows"):
            hold_alone(replace(corruption, function=by_row))
