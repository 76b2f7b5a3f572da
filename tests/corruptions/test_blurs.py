"""The blurs of ImageNet-C and its elastic transform."""

import numpy as np
import pytest
import torch
from blur_laws import PUBLISHED, hold, hold_alone

from robustmeta.core import to_float
from robustmeta.corruptions.defocus_blur import defocus_blur
from robustmeta.corruptions.elastic_transform import elastic_transform
from robustmeta.corruptions.gaussian_blur import gaussian_blur
from robustmeta.corruptions.glass_blur import glass_blur
from robustmeta.corruptions.motion_blur import motion_blur
from robustmeta.corruptions.samples import scenes
from robustmeta.corruptions.zoom_blur import zoom_blur
from robustmeta.functional.motion import steps
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

NEW = (gaussian_blur, glass_blur, motion_blur, zoom_blur, elastic_transform)
ALL = (*NEW, defocus_blur)
DRAWS = (glass_blur, motion_blur, elastic_transform)


@pytest.mark.parametrize(
    "corruption",
    [pytest.param(c, marks=[pytest.mark.slow] * (c in (glass_blur, zoom_blur))) for c in NEW],
    ids=lambda c: c.name,
)
def test_it_has_the_published_levels_and_follows_its_law(corruption: Corruption) -> None:
    hold(corruption)


@pytest.mark.parametrize("corruption", ALL, ids=lambda c: c.name)
def test_an_image_depends_on_itself_and_its_key_alone(corruption: Corruption) -> None:
    hold_alone(corruption)


@pytest.mark.parametrize("corruption", ALL, ids=lambda c: c.name)
def test_every_table_says_whose_law_it_is_and_what_is_shown(corruption: Corruption) -> None:
    assert set(corruption.laws) == set(corruption.parity) == set(corruption.tables)
    assert (corruption.laws["ink-28"], corruption.parity["ink-28"]) == ("robustmeta", "none")
    shown = "injected-exact" if corruption in DRAWS else "exact"
    for table, law in corruption.laws.items():
        assert corruption.parity[table] == (shown if "imagecorruptions" in law else "none"), table


@pytest.mark.parametrize("corruption", ALL, ids=lambda c: c.name)
def test_a_gray_image_is_one_channel_of_an_equal_colour_image(corruption: Corruption) -> None:
    x = to_float(scenes(3, 40))[:, :1]
    for levels in corruption.tables.values():
        for level in levels:
            gray = corruption.function(x, level, Rng(0, ("g",), range(3)))
            colour = corruption.function(x.expand(-1, 3, -1, -1).contiguous(), level, Rng(0, ("g",), range(3)))
            np.testing.assert_allclose(colour, gray.expand(-1, 3, -1, -1), atol=2e-6)


@pytest.mark.parametrize("corruption", ALL, ids=lambda c: c.name)
def test_a_plain_image_stays_plain(corruption: Corruption) -> None:
    values = torch.arange(0, 256, 17, dtype=torch.uint8)
    plain = values[:, None, None, None].expand(-1, 1, 64, 64).contiguous()
    for table, levels in corruption.tables.items():
        for level in levels:
            made = corruption.function(to_float(plain), level, Rng(0, ("p",), range(len(plain))))
            gain = 1.0
            if corruption is defocus_blur and level in ((8, 0.5), (10, 0.5)):
                gain = float(made[3].mean() * 255 / 51)  # these two kernels gain mass, as published
                assert 1.01 < gain < 1.014
            want = (to_float(plain) * gain).clamp(max=1)
            np.testing.assert_allclose(made, want, atol=2e-6, err_msg=f"table {table}, {level}")


@pytest.mark.parametrize("corruption", [c for c in ALL if c not in DRAWS], ids=lambda c: c.name)
def test_some_draw_nothing(corruption: Corruption) -> None:
    rng = Rng(0, ("a",), range(2))
    corruption.function(to_float(scenes(2)), corruption.tables["32"][0], rng)
    assert torch.equal(rng.uniform(3), Rng(0, ("a",), range(2)).uniform(3))


def test_the_severities_move_in_one_direction() -> None:
    point, rows = torch.zeros(20, 1, 97, 97), torch.arange(20)[:, None]
    point[..., 48, 48] = 1
    angles = 90 * Rng(0, ("m",), range(20)).uniform() - 45
    assert ((angles >= -45) & (angles < 45)).all()
    trace = torch.zeros(20, 97, 97, dtype=torch.bool)
    ends = 48 - torch.from_numpy(steps(angles, 41))  # content moves against the shift
    trace[rows, ends[..., 0], ends[..., 1]] = True
    for levels in motion_blur.tables.values():
        for level in levels:
            lit = motion_blur.function(point, level, Rng(0, ("m",), range(20)))[:, 0] > 0
            assert (lit <= trace).all()
            assert (lit.flatten(1).sum(1) >= 3).all()


def test_imagemagick_stores_whole_levels() -> None:
    x = to_float(scenes(3))
    for table, whole in (("224", False), ("64", True), ("32", True), ("ink-28", False)):
        made = 255 * motion_blur.function(x, motion_blur.tables[table][4], Rng(0, ("m",), range(3)))
        assert bool(((made - made.round()).abs() < 1e-4).all()) is whole


def test_the_factors_of_a_zoom_are_as_many_as_published() -> None:
    counts = {t: [len(np.arange(1, end, step)) for end, step in levels] for t, levels in zoom_blur.tables.items()}
    assert counts["224"] == [12, 16, 11, 13, 11]
    assert counts["64"] == counts["32"] == [7, 12, 16, 21, 26]


def test_a_wrong_word_in_a_level_is_an_error() -> None:
    with pytest.raises(KeyError, match="'none'"):
        motion_blur.function(to_float(scenes(1)), (3, 1, "none"), Rng(0, (), [0]))


def test_only_the_first_levels_of_small_images_are_tilted_without_being_stretched() -> None:
    for table in ("64", "32"):
        assert [level[0] == 0 for level in PUBLISHED["elastic_transform"][table]] == [True, False, False, False, False]
    assert all(level[2] == 0 for t in ("224", "ink-28") for level in elastic_transform.tables[t])
