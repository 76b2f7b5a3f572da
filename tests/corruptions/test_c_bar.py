import math

import numpy as np
import pytest
import torch
from c_bar_references import PUBLISHED, hold
from scipy.stats import multivariate_normal, norm

from robustmeta.core import to_float
from robustmeta.corruptions import SETS
from robustmeta.corruptions import lines as lines_module
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.functional.caustics import caustic, refraction, slopes
from robustmeta.functional.strokes import cover
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

NAMES = sorted(PUBLISHED)


def get(name: str) -> Corruption:
    found = resolve("corruptions", name)
    assert isinstance(found, Corruption)
    return found


def rng(n: int) -> Rng:
    return Rng(0, ("c-bar",), range(n))


def run(name: str, x: torch.Tensor, level: float) -> torch.Tensor:
    return get(name).function(x, level, rng(len(x)))


def gray(n: int, size: int, value: float = 0.5, channels: int = 1) -> torch.Tensor:
    return torch.full((n, channels, size, size), float(value))


HEAVY = ("lines", "perlin_noise", "sparkles")
"""Those that take seconds to draw by the book."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in HEAVY)) for n in NAMES])
def test_it_follows_its_law_at_the_published_levels(name: str) -> None:
    hold(get(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_table_names_its_law_and_that_no_reference_was_run(name: str) -> None:
    made = get(name)
    assert made.laws == dict.fromkeys(made.tables, "augmentation-corruption")
    assert made.parity == dict.fromkeys(made.tables, "none")
    assert made.family in {"noise", "blur", "geometry", "occlusion", "digital"}


@pytest.mark.parametrize(("size", "table"), [(28, "32"), (32, "32"), (223, "32"), (224, "224"), (512, "224")])
def test_a_benchmark_s_table_serves_the_sizes_from_it_on_and_an_only_table_all(size: int, table: str) -> None:
    for name in NAMES:
        only = next(iter(PUBLISHED[name])) if len(PUBLISHED[name]) == 1 else table
        assert get(name).table(size)[0] == only


def test_the_sets_are_the_ten_of_each_benchmark() -> None:
    for size, label in (("224", "imagenet-c-bar"), ("32", "cifar-10-c-bar")):
        assert sorted(SETS[label]) == [name for name in NAMES if size in PUBLISHED[name]]
        assert len(SETS[label]) == 10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(150, 1, 29, 31), (9, 3, 31, 45), (3, 3, 225, 97)], ids=str)
def test_an_image_of_odd_size_depends_on_its_key_alone_to_the_last_bit(name: str, shape: tuple[int, ...]) -> None:
    x = torch.from_numpy(np.random.default_rng(0).random(shape, np.float32))
    level = list(get(name).tables.values())[-1][3]
    keys = np.arange(len(x), dtype=np.uint64)
    whole = get(name).function(x, level, Rng(0, ("k",), keys))
    order = np.random.default_rng(1).permutation(len(x))
    for part in (order, order[:2], order[-1:], np.arange(len(x))[1:]):
        assert torch.equal(get(name).function(x[part], level, Rng(0, ("k",), keys[part])), whole[part])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2, 1, 28, 60), (2, 3, 60, 28), (1, 3, 226, 224)], ids=str)
def test_wide_high_and_large_images_are_changed_all_over(name: str, shape: tuple[int, ...]) -> None:
    x = torch.from_numpy(np.random.default_rng(0).random(shape, np.float32))
    level = list(get(name).tables.values())[-1][-1]
    got = run(name, x, level)
    assert got.shape == x.shape
    assert 0 <= float(got.min()) <= float(got.max()) <= 1
    moved = ((got - x).abs() > 2 / 255).any(1)
    for quarter in (moved[:, : shape[2] // 2], moved[:, shape[2] // 2 :], moved[..., :24], moved[..., -24:]):
        assert quarter.any()


COLOURED = ("brownish_noise", "plasma_noise", "transverse_chromatic_abberation")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in COLOURED])
def test_a_gray_image_is_treated_as_each_channel_of_a_colour_one(name: str) -> None:
    x = to_float(ink(3))
    level = list(get(name).tables.values())[-1][2]
    one, three = run(name, x, level), run(name, x.expand(-1, 3, -1, -1), level)
    assert all(torch.equal(three[:, c], one[:, 0]) for c in range(3))


def test_plasma_on_gray_is_the_green_channel() -> None:
    x = to_float(ink(3))
    assert torch.equal(run("plasma_noise", x, 7)[:, 0], run("plasma_noise", x.expand(-1, 3, -1, -1), 7)[:, 1])


def test_chromatic_aberration_on_gray_is_the_mean_of_the_channels() -> None:
    x = to_float(scenes(3)[:, :1])
    one = run("transverse_chromatic_abberation", x, 5) * 255
    three = run("transverse_chromatic_abberation", x.expand(-1, 3, -1, -1), 5) * 255
    assert float((one - three.mean(1, keepdim=True)).abs().max()) <= 1  # bytes are rounded after the mean, not before


def test_channels_of_brownish_noise_are_independent() -> None:
    fields = (run("brownish_noise", gray(300, 32, channels=3), 1) - 0.5).flatten(2).double()
    means = fields.mean(-1)
    off = torch.corrcoef(means.T).fill_diagonal_(0)
    assert float(off.abs().max()) < 4 / 300**0.5


AT_ZERO = {
    "identity": (
        *("brownish_noise", "caustic_refraction", "checkerboard_cutout", "cocentric_sine_waves", "lines"),
        *("perlin_noise", "plasma_noise", "ripple", "single_frequency_greyscale", "circular_motion_blur"),
    ),
    "not": ("blue_noise_sample", "inverse_sparkles", "pinch_and_twirl", "transverse_chromatic_abberation"),
}


@pytest.mark.parametrize("name", AT_ZERO["identity"])
def test_severity_0_changes_nothing(name: str) -> None:
    x = to_float(scenes(20))
    torch.testing.assert_close(run(name, x, 0), x, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", AT_ZERO["not"])
def test_severity_0_of_these_is_not_the_identity(name: str) -> None:
    x = to_float(scenes(20))
    assert ((run(name, x, 0) - x).abs() > 1 / 255).flatten(1).any(1).float().mean() > 0.9


@pytest.mark.parametrize(
    ("severity", "share"), [(0.7, 0.011), (1.4, 0.019), (2.1, 0.031), (3.5, 0.074), (4.2, 0.108), (0, 0.006)]
)
def test_blue_noise_drops_the_known_shares_and_near_a_normal_law(severity: float, share: float) -> None:
    dropped = (run("blue_noise_sample", gray(400, 32), severity) == 0).float().mean()
    assert float(dropped) == pytest.approx(share, abs=1e-3)
    assert float(dropped) == pytest.approx(norm.cdf(0.3 * severity - 2.5), rel=0.12)


def test_neighbours_are_dropped_together_as_seldom_as_the_spectrum_says() -> None:
    dropped = (run("blue_noise_sample", gray(2000, 32), 4.2) == 0).float()[:, 0]
    k = np.arange(32) - 16
    power = k[:, None] ** 2 + k**2
    beside = float((power * np.cos(2 * math.pi * k / 32)).sum() / power.sum())
    assert beside == pytest.approx(-0.3, abs=0.02)
    both = multivariate_normal([0, 0], [[1, beside], [beside, 1]]).cdf([0.3 * 4.2 - 2.5] * 2)
    assert float((dropped[:, 1:] * dropped[:, :-1]).mean()) == pytest.approx(both, rel=0.04)
    assert both < 0.4 * norm.cdf(0.3 * 4.2 - 2.5) ** 2


@pytest.mark.parametrize("severity", [1, 3, 6])
def test_the_checkerboard_covers_half_of_its_share(severity: float) -> None:
    covered = (run("checkerboard_cutout", gray(1500, 28, 0), severity) > 0).float().flatten(1).mean(1)
    error = float(covered.std()) / 1500**0.5
    assert float(covered.mean()) == pytest.approx(severity / 20, abs=4 * error)


def test_the_cells_of_the_checkerboard_are_nested_over_the_severities() -> None:
    some, more = (run("checkerboard_cutout", gray(50, 32, 0), s) > 0 for s in (2, 5))
    assert not (some & ~more).any()
    assert set(run("checkerboard_cutout", gray(50, 32, 0), 5).unique().mul(255).tolist()) == {0, 128}


def test_brownish_noise_casts_a_colour() -> None:
    intensity = 6.4 * 2.5 / 255
    field = ((run("brownish_noise", gray(2000, 32), 2.5) - 0.5) / intensity).double()
    cast = field.mean((1, 2, 3))
    assert float(cast.square().mean().sqrt()) == pytest.approx(0.70, abs=0.02)
    assert float(field.var((1, 2, 3), correction=0).mean()) == pytest.approx(1, abs=1e-3)
    # 0.96 cos φ of a uniform φ: an arcsine law, most often near its ends
    assert float((cast.abs() > 0.8).double().mean()) > 0.3  # 0.25 for a normal one of this spread


def test_frequencies_are_uniform_in_their_larger_component_and_in_the_other_below_it() -> None:
    u = Rng(0, ("c-bar",), range(4000)).uniform(4)
    x = run("single_frequency_greyscale", gray(4000, 28), 1) - 0.5
    # the wave satisfies a(y + 1) + a(y - 1) = 2 cos f_y · a(y) on both axes
    cosines = []
    for axis in (2, 3):
        a = x.narrow(axis, 1, 26)
        around = x.narrow(axis, 0, 26) + x.narrow(axis, 2, 26)
        cosines.append((around * a).sum((1, 2, 3)) / (2 * a.square().sum((1, 2, 3))))
    size = torch.stack(cosines, -1).clamp(-1, 1).acos()
    largest = size.amax(-1) / math.pi
    assert largest.sort()[0].sub(torch.linspace(0, 1, 4000)).abs().max() < 1.63 / 4000**0.5  # Kolmogorov, 1 %
    ratio = size.amin(-1) / size.amax(-1)
    clear = largest > 0.05
    assert abs(float(ratio[clear].mean()) - 0.5) < 4 * 12**-0.5 / 4000**0.5
    rows_first = size[:, 0] > size[:, 1]
    assert abs(float(rows_first.float().mean()) - 0.5) < 4 * 0.5 / 4000**0.5
    assert torch.equal(rows_first[clear], (u[:, 3] < 0.5)[clear])


def test_the_number_of_lines_is_the_published_one(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def counting(height: int, width: int, start: torch.Tensor, end: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        counts.append(start.shape[1])
        return cover(height, width, start, end)

    monkeypatch.setattr(lines_module, "cover", counting)
    for severity in PUBLISHED["lines"]["32"]:
        run("lines", gray(1, 32), severity)
    assert counts == [1, 3, 4, 6, 8]


def test_severities_share_their_first_lines() -> None:
    few, many = (run("lines", torch.ones(20, 1, 32, 32), s) for s in (1, 2))
    assert bool((many <= few).all())


def test_perlin_noise_only_lightens_towards_gray_and_white() -> None:
    noise = run("perlin_noise", gray(50, 32, 0), 20)  # a share of 1: the noise itself
    assert float(noise.min()) >= 0.5
    assert 0.6 < float(noise.mean()) < 0.9


def test_plasma_takes_away_its_share_of_the_image_and_adds_colours_of_both_signs() -> None:
    share = 6.4 * 5 / 255
    dim, light = (run("plasma_noise", gray(50, 28, value, 3), 5) for value in (0.4, 0.6))
    torch.testing.assert_close(light - dim, torch.full_like(dim, 0.2 * (1 - share)), rtol=0, atol=1e-6)
    colours = (dim - 0.4 * (1 - share)) / share
    assert -1 - 1e-5 <= float(colours.min()) < -0.99
    assert 0.99 < float(colours.max()) <= 1 + 1e-5
    assert abs(float(colours.mean())) < 0.1


def test_sparkles_whiten_the_whole_frame() -> None:
    assert float(run("sparkles", gray(20, 32, 0), 0.7).min()) > 0
    assert torch.equal(run("sparkles", gray(2, 32, 1), 7), gray(2, 32, 1))


def test_an_inverse_sparkle_leaves_the_middle_and_whitens_the_rim() -> None:
    white = run("inverse_sparkles", gray(50, 32, 0), 10)[:, 0]
    assert 0.03 < float((white == 0).float().mean()) < 0.2
    assert float((white[:, 8:24, 8:24] == 0).sum() / (white == 0).sum()) > 0.5  # of a quarter of the pixels
    rim = torch.cat([white[:, 0], white[:, -1], white[..., 0], white[..., -1]])
    assert float(rim.mean()) > 0.7


def test_sparkles_grow_with_the_severity_only_above_a_pixel() -> None:
    first, second, third = (run("sparkles", gray(5, 32, 0), s) for s in (0.1, 0.7, 7))
    torch.testing.assert_close(first, second, rtol=0, atol=0)  # all rays at their floor
    assert float((third - second).min()) >= 0
    assert float((third - second).mean()) > 0.1


def test_the_left_over_rim_of_pinched_cells_stays() -> None:
    for size, cells in ((32, 30), (224, 220), (28, 27)):
        x = to_float(scenes(2, size))
        got = run("pinch_and_twirl", x, 10)
        assert torch.equal(got[:, :, cells:], x[:, :, cells:])
        assert torch.equal(got[..., cells:], x[..., cells:])
        assert not torch.equal(got, x)


def test_ripples_are_not_sheared() -> None:
    """Whatever is the same in all columns stays so, up to the black that comes in."""
    x = to_float(scenes(5))[..., :1].expand(-1, -1, -1, 32)
    inner = run("ripple", x, 8)[..., 8:-8]
    torch.testing.assert_close(inner, inner[..., :1].expand_as(inner), rtol=0, atol=1e-6)


def test_turning_darkens_the_corners_and_keeps_the_middle() -> None:
    got = run("circular_motion_blur", gray(1, 32, 1), 6)[0, 0]
    assert float(got[0, 0]) < 0.7
    assert float(got[12:20, 12:20].min()) > 1 - 1e-5
    torch.testing.assert_close(got, got.flip(0), rtol=0, atol=1e-6)


def test_what_draws_nothing() -> None:
    made = rng(2)
    get("circular_motion_blur").function(to_float(scenes(2)), 2.8, made)
    assert torch.equal(made.uniform(3), rng(2).uniform(3))


CHANNELS = {
    1: ((33, 0), (34, 1)),
    2: ((34, 1), (35, 1)),
    5: ((36, 2), (40, 4)),
    9: ((39, 3), (46, 7)),
    10: ((40, 4), (48, 8)),
}


@pytest.mark.parametrize("severity", CHANNELS)
def test_channels_are_enlarged_and_cropped_as_published(severity: int) -> None:
    """Splines reproduce a ramp, so that a row of each channel tells its enlargement and where it was cropped."""
    ramp = (torch.arange(32) / 31).expand(40, 3, 32, 32)
    got = get("transverse_chromatic_abberation").function(ramp, severity, rng(40)) * 31
    places = [(size, start) for size in range(32, 50) for start in range(10)]
    rows = torch.stack([(torch.arange(32) + start) * 31 / (size - 1) for size, start in places])
    found = set()
    for image in got:
        apart = (rows - image[:, 16][:, None])[..., 3:-3].abs().amax(-1)  # (channels, places)
        scales = [places[i] for i in apart.argmin(-1)]
        assert set(scales) == {(32, 0), *CHANNELS[severity]}
        found.add(tuple(scales))
    assert len(found) == 6  # every order


def test_caustics_do_not_refract_where_the_surface_is_nearly_flat() -> None:
    dy, dx = slopes(caustic(64, 64, torch.full((4,), 60.0), torch.linspace(0.5, 2, 4)))
    offset = torch.stack(refraction(dy, dx, 100)).norm(dim=0)
    assert 0.2 < float((offset == 0).float().mean()) < 0.95
    smallest = float(offset[offset > 0].min())
    assert smallest == pytest.approx(3.354, abs=0.15)  # the jump at n_z = 0.999: 0.0335 of the depth
    assert smallest >= 3.352
