import os
import subprocess
import sys
import warnings
from dataclasses import replace
from typing import Any

import albumentations
import numpy as np
import pytest
import torch

from robustmeta.core import CellError, Corruption
from robustmeta.corruptions import albumentations as adapter
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.registry import ComponentError, entries, resolve
from robustmeta.rng import Rng
from robustmeta.testing import check_corruption

COLOUR_ONLY = ("ISONoise", "RandomRain", "RandomSnow", "Spatter", "ChromaticAberration", "PlanckianJitter", "HEStain")
RNG = Rng(0, ("t",), range(4))


def get(name: str) -> Corruption:
    found = resolve("corruptions", f"albumentations:{name}")
    assert isinstance(found, Corruption)
    return found


def test_a_name_becomes_a_corruption_without_levels() -> None:
    made = get("GaussNoise")
    assert (made.name, made.tables, made.family) == ("albumentations:GaussNoise", {}, "albumentations")
    assert made.origin.startswith("albumentations 2.0.8")
    assert made.source.startswith("albumentations 2.0.8, opencv ")
    assert "albumentations:*" in {e.name for e in entries("corruptions")}


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


def test_another_distribution_of_the_same_import_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "packages_distributions", lambda: {"albumentations": ["albumentationsx"]})
    monkeypatch.setattr(adapter, "version", lambda name: "2.5.1")
    adapter._origin.cache_clear()
    try:
        assert get("Blur").origin == (
            "albumentationsx 2.5.1 (not the MIT-licensed albumentations: AlbumentationsX is AGPL-3.0 or commercial)"
        )
    finally:
        adapter._origin.cache_clear()


def test_importing_the_adapter_imports_no_albumentations_and_using_it_asks_no_network() -> None:
    code = (
        "import sys, os; import robustmeta.corruptions.albumentations as a; assert 'albumentations' not in sys.modules;"
        "a.Blur; assert 'albumentations' in sys.modules; print(os.environ['NO_ALBUMENTATIONS_UPDATE'])"
    )
    env = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=env)
    assert (told.stdout, told.stderr) == ("1\n", "")
