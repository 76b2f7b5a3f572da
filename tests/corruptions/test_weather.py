import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from weather_references import LAWS, PUBLISHED, STREAM, frost_with, hold, hold_images

from robustmeta.core import to_float
from robustmeta.corruptions.fog import fog
from robustmeta.corruptions.frost import frost, frost_from
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.corruptions.snow import snow
from robustmeta.corruptions.spatter import spatter
from robustmeta.functional.frost import frost_like
from robustmeta.functional.luma import luma
from robustmeta.registry import ComponentError, resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.testing import check_corruption

WEATHER = (fog, snow, frost, spatter)
TABLES = pytest.mark.parametrize("table", ["224", "64", "32", "ink-28"])
EACH = pytest.mark.parametrize("corruption", WEATHER, ids=[c.name for c in WEATHER])


def keys(n: int) -> Rng:
    return Rng(0, STREAM, range(n))


@pytest.mark.parametrize("corruption", [fog, snow, spatter], ids=lambda c: c.name)
def test_it_follows_the_published_law_at_the_published_levels(corruption: Corruption) -> None:
    hold(corruption, LAWS[corruption.name])


def test_frost_follows_the_published_law_with_our_pictures() -> None:
    hold(frost, frost_with(list(frost_like())))


@EACH
def test_every_table_says_whose_law_it_is_and_what_is_shown_of_it(corruption: Corruption) -> None:
    assert set(corruption.tables) == set(corruption.laws) == set(corruption.parity) == {"224", "64", "32", "ink-28"}
    assert all(len(levels) == 5 for levels in corruption.tables.values())
    assert json.loads(json.dumps(corruption.tables)).keys() == PUBLISHED[corruption.name].keys() | {"ink-28"}
    assert corruption.parity["ink-28"] == "none"
    assert corruption.family == "weather"


def test_no_frost_that_we_draw_is_called_equal_to_photographs() -> None:
    assert set(frost.parity.values()) == {"none"}
    assert all("frost-like texture (procedural)" in law for law in frost.laws.values())


@EACH
def test_levels_may_come_from_json(corruption: Corruption) -> None:
    for level in corruption.tables["32"]:
        again = json.loads(json.dumps(level))
        assert torch.equal(corruption(ink(2), level, keys(2)), corruption(ink(2), again, keys(2)))


@pytest.mark.parametrize("size", [(28, 28), (29, 31), (32, 57), (45, 28), (65, 64), (130, 224)])
@pytest.mark.parametrize(("table", "severity"), [("224", 1), ("224", 5), ("32", 5)])
@EACH
def test_an_image_depends_on_its_key_alone_at_any_size(
    corruption: Corruption, table: str, severity: int, size: tuple[int, int]
) -> None:
    level = corruption.tables[table][severity - 1]
    images = scenes(5, max(size))[:, :, : size[0], : size[1]].contiguous()
    for some in (images, images[:, 1:2].contiguous()):
        numbers = np.array([5, 2**63 + 1, 3, 9, 2**40], np.uint64)
        whole = corruption(some, level, Rng(1, ("k",), numbers))
        assert whole.shape == some.shape
        for chunk in (1, 2):
            assert torch.equal(whole, corruption(some, level, Rng(1, ("k",), numbers), chunk))
        back = np.array([4, 1, 3])
        assert torch.equal(whole[back], corruption(some[back], level, Rng(1, ("k",), numbers[back])))


def test_the_largest_images_work_too() -> None:
    images = scenes(1, 512)[:, :, :500]
    for corruption in WEATHER:
        assert not torch.equal(corruption(images, corruption.tables["224"][2], keys(1)), images)


@TABLES
@EACH
def test_gray_is_what_equal_colours_give_as_luma(corruption: Corruption, table: str) -> None:
    gray = to_float(torch.cat([ink(2), scenes(2, 28)[:, :1]]))
    for level in corruption.tables[table]:
        got = corruption.function(gray, level, keys(4))
        coloured = corruption.function(gray.expand(-1, 3, -1, -1), level, keys(4))
        assert got.shape == gray.shape
        torch.testing.assert_close(got, luma(coloured), atol=2e-6, rtol=0)


@TABLES
@EACH
def test_black_and_white_stay_in_range(corruption: Corruption, table: str) -> None:
    for level in corruption.tables[table]:
        for x in (torch.zeros(2, 3, 28, 28), torch.ones(2, 1, 28, 28)):
            y = corruption.function(x, level, keys(2))
            assert y.dtype == torch.float32
            assert float(y.min()) >= 0
            assert float(y.max()) <= 1


def test_a_black_image_has_no_fog_and_another_is_not_brighter_than_it_was() -> None:
    for level in fog.tables["224"]:
        assert not fog.function(torch.zeros(2, 3, 28, 28), level, keys(2)).any()
        dim = to_float(scenes(3)) * 0.6
        top = dim.amax((1, 2, 3))
        assert bool((fog.function(dim, level, keys(3)).amax((1, 2, 3)) <= top + 1e-6).all())


def test_fog_is_scaled_on_the_whole_map_before_it_is_cut() -> None:
    """On white x = 1 the result is (1 + c F) / (1 + c): its range is that of F, whose ends need not be in the cut."""
    c, decay = 1.0, 2.0
    white = torch.ones(60, 1, 33, 20)  # a map of 64 x 64
    f = (fog.function(white, (c, decay), keys(60)) * (1 + c) - 1) / c
    assert float(f.min()) >= -1e-5
    assert float((f.amax((1, 2, 3)) < 0.98).float().mean()) > 0.3
    full = (fog.function(torch.ones(9, 1, 64, 64), (c, decay), keys(9)) * (1 + c) - 1) / c
    torch.testing.assert_close(full.amin((1, 2, 3)), torch.zeros(9), atol=1e-5, rtol=0)
    torch.testing.assert_close(f[:9], full[:, :, :33, :20], atol=1e-5, rtol=0)


def test_the_severities_share_their_draws() -> None:
    white = torch.ones(3, 1, 32, 32)
    maps = [(fog.function(white, (c, 2.0), keys(3)) * (1 + c) - 1) / c for c in (0.5, 1.0, 3.0)]
    torch.testing.assert_close(maps[1], maps[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(maps[2], maps[0], atol=1e-5, rtol=0)
    black = torch.zeros(3, 3, 32, 32)
    faint, strong = (frost.function(black, (1.0, ice, 0.2), keys(3)) for ice in (0.2, 0.8))
    torch.testing.assert_close(faint * 4, strong, atol=5 / 255, rtol=0)
    few, many = (spatter.function(black, (0.65, 0.3, 1.0, t, 0.6, "mud"), keys(3)) > 0 for t in (0.75, 0.65))
    assert bool((many | ~few).all())
    assert many.sum() > few.sum()


def test_the_laws_of_snow_differ_where_they_are_said_to() -> None:
    """With one tap and no whitening the layer itself is seen; at zoom 1 only the 8 bits before the blur differ."""
    black = torch.zeros(4, 1, 33, 40)
    layers = {}
    for law in ("hendrycks", "imagecorruptions"):
        for zoom in (1.0, 2.5):
            seen = snow.function(black, (0.3, 0.1, zoom, 0.25, 0, 1.0, 1.0, law), keys(4))
            layers[law, zoom] = (seen * 255).round()
    assert (layers["imagecorruptions", 1.0] - layers["hendrycks", 1.0]).unique().tolist() == [0, 1, 2]
    assert (layers["imagecorruptions", 2.5] - layers["hendrycks", 2.5]).abs().max() > 20
    with pytest.raises(KeyError, match="nobody"):
        snow.function(black, (0.3, 0.1, 1.0, 0.25, 0, 1.0, 1.0, "nobody"), keys(4))


def test_snow_falls_within_45_degrees_of_straight_down() -> None:
    black = torch.zeros(200, 1, 33, 33)
    level = (0.0, 0.3, 1.0, 1.1, 8, 4.0, 1.0, "imagecorruptions")  # few flakes
    y = snow.function(black, level, keys(200))
    assert float(y.gt(0).float().mean()) > 1e-3
    pairs = [float((y[:, :, :-1] * y[:, :, 1:]).sum()), float((y[..., :-1] * y[..., 1:]).sum())]
    assert pairs[0] > 3 * pairs[1]  # trails run along the columns


def test_water_brightens_mud_darkens_white_and_dry_images_stay() -> None:
    gray = torch.full((3, 3, 40, 40), 0.5)
    wet = spatter.function(gray, spatter.tables["224"][2], keys(3))
    assert bool((wet >= 0.5).all())
    red, green, blue = (wet[:, c] - 0.5 for c in range(3))
    torch.testing.assert_close(green, blue)
    unsaturated = green < 0.4
    torch.testing.assert_close(red[unsaturated], green[unsaturated] * 175 / 238, atol=1e-6, rtol=0)
    muddy = spatter.function(torch.ones(3, 3, 40, 40), spatter.tables["224"][4], keys(3))
    assert bool((muddy <= 1).all())
    darkest = muddy.amin((0, 2, 3))
    assert bool((darkest >= torch.tensor([63, 42, 20]) / 255 - 1e-6).all())
    assert float(darkest[0]) < 0.45
    for kind in ("water", "mud"):
        dry = (0.1, 0.1, 1.0, 0.9, 0.6, kind)
        torch.testing.assert_close(spatter.function(gray, dry, keys(3)), gray, rtol=0, atol=0)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Seven small photographs of different sizes, and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    numbers = np.random.default_rng(0)
    for i, (height, width) in enumerate([(200, 300), (180, 190), (100, 330), (400, 90), (256, 256), (300, 300)]):
        pixels = cv2.resize(numbers.integers(0, 256, (9, 9, 3), dtype=np.uint8), (width, height))
        cv2.imwrite(str(folder / f"{i}.{'png' if i % 2 else 'jpg'}"), pixels)
    (folder / "about.txt").write_text("photographs")
    return folder


def read(folder: Path) -> list:
    """Their pixels, by Pillow."""
    from PIL import Image

    files = sorted(f for f in folder.iterdir() if f.suffix != ".txt")
    return [np.asarray(Image.open(f).convert("RGB")) for f in files]


@pytest.mark.parametrize("images", [scenes(6), scenes(6, 224)[:, :, :150], ink(6)], ids=["32", "150x224", "ink"])
def test_frost_from_photographs_follows_the_published_law(photos: Path, images: Tensor) -> None:
    made = frost_from(photos)
    law = frost_with(read(photos)[:5])
    for table, levels in made.tables.items():
        for level in levels:
            hold_images(made, law, level, images, table)


def test_photographs_are_part_of_what_identifies_the_corruption(photos: Path) -> None:
    first = frost_from(photos)
    assert (first.name, first.family, first.origin) == ("frost", "weather", "5 pictures in photos")
    assert first.source == frost_from(str(photos)).source
    assert len(first.source) == 64
    assert first.parity == {"224": "injected-exact", "64": "none", "32": "none", "ink-28": "none"}
    assert first.laws == {"224": "imagecorruptions", "64": "hendrycks", "32": "hendrycks", "ink-28": "robustmeta"}
    (photos / "5.png").unlink()  # the sixth is not used
    assert frost_from(photos).source == first.source
    (photos / "4.jpg").write_bytes((photos / "2.jpg").read_bytes())
    assert frost_from(photos).source != first.source


def test_a_study_names_photographs_by_the_file_that_holds_them(photos: Path) -> None:
    file = photos.parent / "my_frost.py"
    file.write_text(f"from robustmeta.corruptions.frost import frost_from\n\nfrost = frost_from({str(photos)!r})\n")
    made = resolve("corruptions", f"{file}:frost")
    assert isinstance(made, Corruption)
    assert made.source == frost_from(photos).source
    assert all(finding.passed for finding in check_corruption(made))
    again = pickle.loads(pickle.dumps(made))
    level = made.tables["32"][2]
    assert torch.equal(again(scenes(4), level, keys(4)), made(scenes(4), level, keys(4)))
    assert again.source == made.source


def test_a_folder_without_photographs_says_what_is_wanted(photos: Path) -> None:
    with pytest.raises(ComponentError, match=r"no images of frost; expected files that end in \.bmp, \.jpeg"):
        frost_from(photos.parent / "nowhere")
    for content in (b"", b"no image"):
        (photos / "0.jpg").write_bytes(content)
        with pytest.raises(ComponentError, match=r"0\.jpg: not an image that OpenCV can read"):
            frost_from(photos)
