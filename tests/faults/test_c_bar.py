"""The check of a C-bar corruption against its law turns red on a planted fault."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from c_bar_references import PUBLISHED, hold
from scipy.ndimage import spline_filter1d
from torch import Tensor

from robustmeta.functional.bilinear import displaced, stretched
from robustmeta.functional.checkerboard import taken
from robustmeta.functional.perlin import _cells, absolute_octaves
from robustmeta.functional.polar import angle, offsets
from robustmeta.functional.rotate import quarter_matrix
from robustmeta.functional.sparkle import light
from robustmeta.functional.spectral import phase_noise, wavenumber
from robustmeta.functional.spline import taps, zoom
from robustmeta.functional.strokes import cover
from robustmeta.functional.twirl import cell_shift
from robustmeta.functional.waves import flow_colours, plane_wave
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

NAMES = sorted(PUBLISHED)


def get(name: str) -> Corruption:
    found = resolve("corruptions", name)
    assert isinstance(found, Corruption)
    return found


@pytest.fixture(autouse=True)
def _no_kept_matrix() -> Iterator[None]:
    quarter_matrix.cache_clear()
    yield
    quarter_matrix.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_a_severity_off_by_one(name: str) -> None:
    made = get(name)
    tables = {size: (*levels[1:], levels[0]) for size, levels in made.tables.items()}
    with pytest.raises(AssertionError, match="levels"):
        hold(replace(made, tables=tables))


@pytest.mark.parametrize("name", NAMES)
def test_a_level_that_is_not_passed_on_as_it_is(name: str) -> None:
    made = get(name)
    levels = sorted({level for table in PUBLISHED[name].values() for level in table})

    def milder(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return made.function(x, levels[max(0, levels.index(level) - 1)], rng)

    with pytest.raises(AssertionError, match="off by"):
        hold(replace(made, function=milder))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "circular_motion_blur"])  # it draws nothing
def test_the_draws_of_another_image(name: str) -> None:
    made = get(name)

    def exchanged(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return made.function(x, level, Rng(rng.seed, rng.stream, rng.keys[::-1].copy()))

    with pytest.raises(AssertionError, match="off by"):
        hold(replace(made, function=exchanged))


def stationary(phase: Tensor, amplitude: Tensor) -> Tensor:
    """A field of independent phases, whose spectrum has the symmetry of a real field."""
    half = torch.fft.ifftshift(amplitude)[:, : amplitude.shape[1] // 2 + 1]
    field = torch.fft.irfft2(half * torch.exp(1j * F.pad(phase, (0, 1))))
    return field / field.std((-2, -1), correction=0, keepdim=True)


def centred(phase: Tensor, amplitude: Tensor) -> Tensor:
    field = phase_noise(phase, amplitude)
    return field - field.mean((-2, -1), keepdim=True)


def uncut(x: Tensor, pixel: Tensor, weight: Tensor, value: float) -> Tensor:
    flat = F.pad(x.flatten(2), (0, 1))
    for line in range(pixel.shape[1]):
        at = pixel[:, line, None].expand(-1, x.shape[1], -1)
        old = flat.gather(2, at)
        flat.scatter_(2, at, old + weight[:, line, None] * (value - old))
    return flat[..., :-1].view_as(x)


def wider(height: int, width: int, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    pixel, weight = cover(height, width, start, end)
    return pixel, (1.5 * weight).clamp(max=1)


def unrimmed(field: Tensor) -> tuple[Tensor, Tensor]:
    wide = F.pad(field[None], (1, 1, 1, 1), mode="replicate")[0]
    return wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1], wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]


def sheared(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Each axis displaced by the coordinate of the other, for square images."""
    at = torch.arange(x.shape[2])
    down, right = (row - at)[:, None, :], (column - at)[:, :, None]
    return displaced(x, down.expand(-1, len(at), -1), right.expand(-1, -1, len(at)))


def held(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Border pixels go on outside."""
    return stretched(x, row.clamp(0, x.shape[2] - 1), column.clamp(0, x.shape[3] - 1))


def unmirrored(at: Any, n: int) -> tuple[Any, Any]:
    lower, weight = np.floor(at).astype(int), taps(at, n)[1]
    return np.clip(np.stack([lower + i for i in (-1, 0, 1, 2)]), 0, n - 1), weight


def interpolating(x: Tensor, factor: float) -> Tensor:
    knots = spline_filter1d(spline_filter1d(x.numpy(), axis=-1), axis=-2)
    return zoom(torch.from_numpy(knots).float(), factor)


def quintic(n: int, frequency: float) -> tuple[Tensor, Tensor, Tensor]:
    corner = _cells(n, frequency)[0]
    t = torch.arange(n, dtype=torch.float64) * frequency - corner[0]
    upper = t**3 * (t * (6 * t - 15) + 10)
    mean = torch.stack([1 - upper, upper])
    return corner, mean.float(), (mean * torch.stack([t, t - 1])).float()


def columns_first(height: int, width: int, cell: float, permutation: Tensor, gradient: Tensor) -> Tensor:
    return absolute_octaves(width, height, cell, permutation, gradient.flip(-1)).mT


def rows_for_columns(height: int, width: int, centre: Tensor) -> tuple[Tensor, Tensor]:
    return offsets(height, width, centre.flip(-1))


def counted_from_the_columns(a: Tensor, b: Tensor) -> Tensor:
    return angle(b, a)


PLANTED: dict[str, tuple[str, str, Any]] = {
    "the power for the amplitude": ("blue_noise_sample", "wavenumber", lambda h, w: wavenumber(h, w).square()),
    "a stationary field": ("blue_noise_sample", "phase_noise", stationary),
    "1/k for 1/k²": ("brownish_noise", "wavenumber", lambda h, w: wavenumber(h, w).sqrt()),
    "no colour cast": ("brownish_noise", "phase_noise", centred),
    "a stationary brown field": ("brownish_noise", "phase_noise", stationary),
    "rays counted from the columns": ("sparkles", "functional.sparkle.angle", counted_from_the_columns),
    "rows for columns": ("sparkles", "functional.sparkle.offsets", rows_for_columns),
    "four sparkles": ("sparkles", "SPARKLES", 4),
    "the ray after": ("sparkles", "light", lambda h, w, c, m, ray, e: light(h, w, c, m, ray.roll(1, -1), e)),
    "no exponent": ("inverse_sparkles", "light", lambda h, w, c, m, ray, e: light(h, w, c, m, ray, 1)),
    "rays counted the other way": ("inverse_sparkles", "functional.sparkle.angle", lambda a, b: angle(-a, b)),
    "turned the other way": ("checkerboard_cutout", "taken", lambda h, w, a, s, b: taken(h, w, -a, s, b)),
    "a table on its side": ("checkerboard_cutout", "taken", lambda h, w, a, s, b: taken(h, w, a, s, b.mT)),
    "another gray": ("checkerboard_cutout", "GRAY", 127 / 255),
    "lines on their side": ("lines", "cover", lambda h, w, a, b: cover(h, w, a.flip(-1), b.flip(-1))),
    "wide lines": ("lines", "cover", wider),
    "no bytes between lines": ("lines", "draw", uncut),
    "no dead zone": ("caustic_refraction", "functional.caustics.FLAT", 2.0),
    "an index of water": ("caustic_refraction", "functional.caustics.INDEX", 4 / 3),
    "four whirls": ("caustic_refraction", "functional.caustics.WHIRLS", 4),
    "no rim": ("caustic_refraction", "slopes", unrimmed),
    "another border of the blur": ("caustic_refraction", "BORDER_REFLECT", cv2.BORDER_CONSTANT),
    "a quintic fade": ("perlin_noise", "functional.perlin._cells", quintic),
    "a hash by the column first": ("perlin_noise", "absolute_octaves", columns_first),
    "four octaves": ("perlin_noise", "functional.perlin.OCTAVES", (1, 2, 4, 8)),
    "red for blue": ("plasma_noise", "flow_colours", lambda y, x, t: flow_colours(y, x, t).flip(1)),
    "five whirls at most": ("plasma_noise", "functional.waves.STEPS", 5),
    "time that does not slow down": ("plasma_noise", "functional.waves.SLOWDOWN", 1.0),
    "waves counted from the columns": ("cocentric_sine_waves", "functional.waves.angle", counted_from_the_columns),
    "a centre on its side": ("cocentric_sine_waves", "functional.waves.offsets", rows_for_columns),
    "a wave on its side": (
        "single_frequency_greyscale",
        "plane_wave",
        lambda h, w, frequency, phase: plane_wave(h, w, frequency.flip(-1), phase),
    ),
    "twirled the other way": ("pinch_and_twirl", "functional.twirl.cell_shift", lambda n, p, a: cell_shift(n, p, -a)),
    "not pinched": ("pinch_and_twirl", "functional.twirl.cell_shift", lambda n, p, a: cell_shift(n, 0.0, a)),
    "sheared": ("ripple", "stretched", sheared),
    "held at the border": ("ripple", "stretched", held),
    "equal weights": ("circular_motion_blur", "functional.rotate.WEIGHTS", np.full(21, 1 / 21)),
    "no prefilter": ("circular_motion_blur", "functional.rotate.spline_filter1d", lambda x, axis: x.astype(float)),
    "knots that do not mirror": ("circular_motion_blur", "functional.rotate.taps", unmirrored),
    "a prefilter": ("transverse_chromatic_abberation", "zoom", interpolating),
    "a zoom that does not mirror": ("transverse_chromatic_abberation", "functional.spline.taps", unmirrored),
    "half the zoom": ("transverse_chromatic_abberation", "zoom", lambda x, z: zoom(x, (1 + z) / 2)),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_part_of_the_law_that_is_wrong(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, place, planted = PLANTED[fault]
    home = place if place.startswith("functional.") else f"corruptions.{name}.{place}"
    monkeypatch.setattr(f"robustmeta.{home}", planted)
    with pytest.raises(AssertionError, match="off by"):
        hold(get(name))


def test_every_corruption_has_a_planted_fault() -> None:
    assert {name for name, _, _ in PLANTED.values()} == set(NAMES)


def always_largest_first(law: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def faulty(x: Tensor, level: Any, rng: Rng) -> Tensor:
        class Ordered(Rng):
            def uniform(self, *shape: int) -> Tensor:
                drawn = super().uniform(*shape)
                drawn[:, 3] = 0
                return drawn

        return law(x, level, Ordered(rng.seed, rng.stream, rng.keys))

    return faulty


def test_frequencies_whose_larger_component_is_always_that_of_the_rows() -> None:
    made = get("single_frequency_greyscale")
    with pytest.raises(AssertionError, match="off by"):
        hold(replace(made, function=always_largest_first(made.function)))
