import importlib.util
import json
import math
import os
import subprocess
import sys
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import albumentations
import numpy as np
import pytest
import torch

from robustmeta.core import CellError
from robustmeta.corruptions.albumentations_levels import LEVELS
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.registry import ComponentError, entries, resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.sources import INSTALL, library, owner
from robustmeta.testing import check_corruption

COLOUR_ONLY = ("ISONoise", "RandomRain", "RandomSnow", "Spatter", "ChromaticAberration", "PlanckianJitter", "HEStain")
NOT_PIXELS = {"p", "mask_interpolation", "fill_mask", "mask_drop_value", "keypoint_remapping_method"}
RNG = Rng(0, ("t",), range(4))


def get(name: str) -> Corruption:
    found = resolve("corruptions", f"albumentations:{name}")
    assert isinstance(found, Corruption)
    return found


def test_a_name_becomes_a_corruption() -> None:
    made = get("InvertImg")
    assert (made.name, made.tables, made.family) == ("albumentations:InvertImg", {}, "albumentations")
    assert made.origin == "albumentations 2.0.8 (MIT)"
    assert made.source.startswith("albumentations 2.0.8, opencv ")
    listed = {e.name: e.origin for e in entries("corruptions")}
    assert listed["albumentations:*"] == "robustmeta, albumentations 2.0.8 (MIT)"


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
def test_levels_keep_to_the_rules_and_name_every_argument_that_moves_a_pixel(name: str) -> None:
    made = get(name)
    assert (made.tables, made.monotone) == ({"levels": LEVELS[name]}, True)
    known = set(signature(getattr(albumentations, name)).parameters)
    assert len(LEVELS[name]) == 5
    for level in LEVELS[name]:
        assert known - NOT_PIXELS == level.keys()
    found = check_corruption(made, scenes(3))
    assert all(f.passed for f in found), [f for f in found if not f.passed]


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 40, 28), (3, 28, 40), (3, 64, 48), (3, 224, 160)], ids=str)
@pytest.mark.parametrize("name", LEVELS)
def test_every_level_works_at_every_size(name: str, shape: tuple[int, int, int]) -> None:
    c, h, w = shape
    x = scenes(1, max(h, w))[:, :c, :h, :w].contiguous()
    apart = [(get(name)(x, level, RNG.at(slice(1))).double() - x).abs().mean() / 255 for level in LEVELS[name]]
    assert min(apart) > 0.0003
    assert apart[4] > 1.5 * apart[0]


FIGURES = {  # levels that cannot reach 26, 23, 20, 17 and 14 dB on photographs of 64 x 64 pixels, with what they give
    "Blur": (24.0, 20.8, 19.4, 17.8, 16.4),
    "ChromaticAberration": (26, 23, 20, 17, 14.9),
    "CoarseDropout": (25.2, 22.8, 19.9, 16.9, 14.1),
    "Defocus": (26.8, 23.0, 20.7, 18.6, 17.1),
    "Downscale": (23.2, 20.5, 19.4, 16.9, 14.6),
    "GaussianBlur": (26, 23, 20, 17, 14.6),
    "GlassBlur": (22.5, 21.5, 19.7, 17.7, 16.9),
    "ImageCompression": (26.0, 23.3, 21.1, 18.9, 18.6),
    "MedianBlur": (25.5, 22.0, 20.4, 18.5, 17.4),
    "Morphological": (20.4, 18.0, 14.6, 13.6, 11.9),
    "MotionBlur": (25.6, 22.6, 20.0, 18.2, 16.6),
    "OpticalDistortion": (26, 23, 20, 17, 15.0),
    "Posterize": (35.5, 29.0, 22.8, 16.6, 10.7),
    "RandomRain": (20.5, 18.2, 15.6, 14.1, 12.5),
    "RingingOvershoot": (26, 23, 20, 17.5, 17.0),
    "ZoomBlur": (25.6, 22.5, 20.3, 17, 14),
}
TARGETS = (26, 23, 20, 17, 14)


def hold_strengths(name: str, levels: tuple[dict[str, object], ...], images: torch.Tensor) -> None:
    """The PSNR of each level on photographs is the one it was set to."""
    found: list[float] = []
    for level in levels:
        out = get(name)(images, level, Rng(0, ("calibrate",), range(len(images))))
        found.append(-10 * math.log10(float(((out.double() - images.double()) / 255).square().mean())))
    assert all(a > b + 0.2 for a, b in pairwise(found)), found
    np.testing.assert_allclose(found, FIGURES.get(name, TARGETS), atol=0.75)


@pytest.fixture(scope="module")
def photographs(data_dir: Path) -> torch.Tensor:
    path = Path(__file__).parents[1] / "benchmarks" / "calibrate_albumentations.py"
    spec = importlib.util.spec_from_file_location("calibrate_albumentations", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.photographs(data_dir, script.SIZE)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", LEVELS)
def test_strengths_are_as_calibrated(name: str, photographs: torch.Tensor) -> None:
    hold_strengths(name, LEVELS[name], photographs)


@pytest.mark.data
def test_other_strengths_are_told(photographs: torch.Tensor) -> None:
    with pytest.raises(AssertionError):
        hold_strengths("GaussNoise", LEVELS["GaussNoise"][::-1], photographs)
    stronger = tuple({**level, "noise_scale_factor": 0.5} for level in LEVELS["GaussNoise"])
    with pytest.raises(AssertionError):
        hold_strengths("GaussNoise", stronger, photographs)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("GaussNoise", [{"std_range": [0.1, 0.1]}, {"std_range": [0.3, 0.3]}]),
        ("RandomRain", [{}]),
        ("ISONoise", [{"intensity": [0.3, 0.3]}]),
        ("ElasticTransform", [{"alpha": 20, "sigma": 4}]),
        ("PixelDropout", [{"dropout_prob": 0.1}]),
        ("MedianBlur", [{"blur_limit": [3, 3]}]),
    ],
)
def test_it_keeps_to_the_rules_of_every_corruption(name: str, levels: list[dict[str, Any]]) -> None:
    found = check_corruption(replace(get(name), tables={"levels": tuple(levels)}))
    assert all(f.passed for f in found), found


@pytest.mark.parametrize("name", COLOUR_ONLY)
def test_a_transform_of_colours_takes_gray_images(name: str) -> None:
    out = get(name)(scenes(4)[:, :1], {}, RNG)
    assert out.shape == (4, 1, 32, 32)
    assert not torch.equal(out, scenes(4)[:, :1])


def test_gray_noise_has_the_stated_strength() -> None:
    gray = torch.full((50, 1, 28, 28), 128, dtype=torch.uint8)
    out = get("GaussNoise")(gray, {"std_range": [0.1, 0.1]}, Rng(0, ("t",), range(50)))
    assert float(out.double().std() / 255) == pytest.approx(0.1, rel=0.02)


def test_it_is_the_transform_itself_seeded_by_the_key() -> None:
    x, transform = scenes(4), albumentations.ShotNoise(scale_range=(0.2, 0.2), p=1.0)
    out = get("ShotNoise")(x, {"scale_range": [0.2, 0.2]}, RNG)
    for image, got, seed in zip(x, out, Rng(0, ("t",), range(4)).bits(1)[:, 0], strict=True):
        transform.set_random_seed(int(seed))
        want = transform(image=np.ascontiguousarray(image.movedim(0, -1).numpy()))["image"]
        np.testing.assert_array_equal(got.movedim(0, -1).numpy(), want)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"std_rang": [0.1, 0.2]}, "unknown argument of GaussNoise 'std_rang'; did you mean std_range?"),
        ({"var_limit": [10, 20]}, "unknown argument of GaussNoise 'var_limit'; known: "),
        ({"p": 0.5}, "unknown argument of GaussNoise 'p'"),
        ({"std_range": "strong"}, "Input should be a valid tuple"),
        ({"std_range": [0.3, 0.1]}, "First value should be less than the second value"),
        (0.2, "a level of GaussNoise is a mapping of its arguments (std_range, "),
    ],
)
def test_a_wrong_argument_is_an_error(level: object, message: str) -> None:
    with pytest.raises(CellError) as error:
        get("GaussNoise")(ink(4), level, RNG)
    assert message in str(error.value)


def test_an_unknown_transform_is_suggested() -> None:
    with pytest.raises(ComponentError, match="unknown albumentations transform 'GausNoise'; did you mean GaussNoise"):
        get("GausNoise")


@pytest.mark.parametrize(
    ("name", "level", "message"),
    [
        ("CenterCrop", {"height": 20, "width": 20}, r"returned uint8 \(20, 20, 1\); a corruption keeps uint8"),
        ("ToFloat", {}, "returned float32"),
        ("MaskDropout", {}, "requires"),
        ("ConstrainedCoarseDropout", {}, "do not apply"),
    ],
)
def test_what_does_not_keep_or_change_the_image_is_an_error(name: str, level: dict[str, Any], message: str) -> None:
    with pytest.raises(CellError, match=message):
        get(name)(ink(4), level, RNG)


@pytest.mark.parametrize("name", ["HueSaturationValue", "ShiftScaleRotate"])
def test_the_images_do_not_depend_on_the_filter_of_warnings(name: str) -> None:
    found: list[torch.Tensor] = []
    for action in ("error", "ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            found.append(get(name)(ink(4), {}, RNG))
    assert torch.equal(*found)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages in front of the others, where albumentations is not imported yet."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "albumentations")
    owner.cache_clear()
    yield tmp_path
    owner.cache_clear()


def install(site: Path, name: str, version: str, files: dict[str, str]) -> None:
    """Lay a distribution that brings files, as an installer does; they replace those of the same name."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text("albumentations\n")
    record: list[str] = []
    for file, text in files.items():
        (site / file).parent.mkdir(exist_ok=True)
        (site / file).write_text(text)
        digest = urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{file},sha256={digest},{len(text)}\n")
    (info / "RECORD").write_text("".join(record))


INIT, CORE = "albumentations/__init__.py", "albumentations/core.py"
OTHER = "it is neither albumentations up to 2.0.8 nor its fork nrtk-albumentations, which are MIT"


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("albumentations", "2.0.8", "albumentations 2.0.8 (MIT)"),
        ("albumentations", "1.4.24", "albumentations 1.4.24 (MIT)"),
        ("albumentations", "2.1.0", f"albumentations 2.1.0 (licence unknown; {OTHER})"),
        ("nrtk-albumentations", "2.3.0", "nrtk-albumentations 2.3.0 (MIT)"),
        ("nrtk_albumentations", "2.3.0", "nrtk_albumentations 2.3.0 (MIT)"),
        ("albumentationsx", "2.5.1", f"albumentationsx 2.5.1 (AGPL-3.0 or commercial; {OTHER})"),
        ("AlbumentationsX", "2.5.1", f"AlbumentationsX 2.5.1 (AGPL-3.0 or commercial; {OTHER})"),
        ("my-albumentations", "1.0", f"my-albumentations 1.0 (licence unknown; {OTHER})"),
    ],
)
def test_the_distribution_is_found_by_where_the_file_is(site: Path, name: str, version: str, said: str) -> None:
    install(site, name, version, {INIT: ""})  # albumentations 2.0.8 stays installed behind it
    assert library("albumentations") == said
    listed = {e.name: e.origin for e in entries("corruptions")}
    assert listed["albumentations:*"] == f"robustmeta, {said}"
    assert "albumentations" not in sys.modules


def test_of_two_distributions_in_one_folder_the_one_whose_files_are_there_is_named(site: Path) -> None:
    install(site, "albumentations", "2.0.8", {INIT: "same", CORE: "one"})
    install(site, "albumentationsx", "2.5.1", {INIT: "same", CORE: "other"})
    assert library("albumentations").startswith("albumentationsx 2.5.1 (AGPL")
    (site / CORE).write_text("one")
    owner.cache_clear()
    assert library("albumentations") == "albumentations 2.0.8 (MIT)"


def test_a_library_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(INSTALL, "no_such_library", "robustmeta[none]")
    assert library("no_such_library") == "no_such_library is not installed: pip install 'robustmeta[none]'"


def test_files_of_no_distribution(site: Path) -> None:
    (site / "albumentations").mkdir()
    (site / INIT).write_text("")
    assert library("albumentations").startswith(f"{site / INIT}, of no installed distribution (licence unknown; ")


def test_a_distribution_that_was_installed_in_place_is_found(site: Path, tmp_path: Path) -> None:
    source = tmp_path / "checkout"
    (source / "albumentations").mkdir(parents=True)
    (source / INIT).write_text("")
    install(site, "albumentationsx", "2.5.1", {})
    url = {"url": f"file://{source}", "dir_info": {"editable": True}}
    (site / "albumentationsx-2.5.1.dist-info" / "direct_url.json").write_text(json.dumps(url))
    sys.path.insert(0, str(source))
    importlib.invalidate_caches()
    assert library("albumentations").startswith("albumentationsx 2.5.1 (AGPL")


@pytest.mark.slow
def test_importing_the_adapter_imports_no_albumentations_and_using_it_asks_no_network() -> None:
    code = (
        "import sys, os; import robustmeta.corruptions.albumentations as a; assert 'albumentations' not in sys.modules;"
        "a.Blur; assert 'albumentations' in sys.modules; print(os.environ['NO_ALBUMENTATIONS_UPDATE'])"
    )
    env = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=env)
    assert (told.stdout, told.stderr) == ("1\n", "")
