"""Perturbers of NRTK as corruptions, against NRTK itself and closed forms; run where it can be imported."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from conftest import unavailable
from numpy.typing import NDArray

from robustmeta.core import CellError
from robustmeta.corruptions.nrtk_levels import LEVELS
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.registry import ComponentError, entries, resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.sources import library, owner
from robustmeta.testing import check_corruption

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("nrtk")]
KEYS = range(4)


@pytest.fixture(scope="module")
def nrtk() -> None:
    if owner("nrtk") is None:
        unavailable(f"{library('nrtk')}; .ci/parity installs it")


def get(name: str) -> Corruption:
    made = resolve("corruptions", f"nrtk:{name}")
    assert isinstance(made, Corruption)
    return made


def rng() -> Rng:
    return Rng(0, ("t",), KEYS)


def own(path: str, image: NDArray[np.uint8], arguments: dict[str, Any]) -> NDArray[np.uint8]:
    """What NRTK itself makes of an image (H, W) or (H, W, 3)."""
    module, name = path.rsplit(".", 1)
    kind = getattr(__import__(f"nrtk.impls.perturb_image.{module}", fromlist=[name]), name)
    return kind(**arguments)(image=image)[0]


@pytest.mark.parametrize("name", LEVELS)
def test_levels_keep_to_the_rules(name: str) -> None:
    made = get(name)
    assert (made.tables, made.family, made.origin) == ({"levels": LEVELS[name]}, "nrtk", "nrtk 1.1.0 (Apache-2.0)")
    assert made.source.startswith("nrtk 1.1.0, opencv-python-headless ")
    found = check_corruption(made)
    assert all(f.passed for f in found), [f for f in found if not f.passed]


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 40, 28), (3, 28, 40), (3, 64, 48), (3, 224, 160)], ids=str)
@pytest.mark.parametrize("name", LEVELS)
def test_every_level_works_at_every_size(name: str, shape: tuple[int, int, int]) -> None:
    c, h, w = shape
    x = scenes(1, max(h, w))[:, :c, :h, :w].contiguous()
    apart = [(get(name)(x, v, Rng(0, ("t",), [0])).double() - x).abs().mean() / 255 for v in LEVELS[name]]
    assert min(apart) > 0.0003
    assert apart[4] > 1.5 * apart[0]


@pytest.mark.parametrize(
    ("path", "arguments", "seeded"),
    [
        ("photometric.noise.GaussianNoisePerturber", {"mean": 0.0, "var": 0.02}, True),
        ("photometric.noise.SaltAndPepperNoisePerturber", {"amount": 0.1}, True),
        ("photometric.blur.MedianBlurPerturber", {"ksize": 5}, False),
        ("photometric.enhance.BrightnessPerturber", {"factor": 0.6}, False),
        ("environment.HazePerturber", {"factor": 0.7}, False),
        ("geometric.random.RandomTranslationPerturber", {}, True),
        ("_albumentations.albumentations_perturber.AlbumentationsPerturber", {"perturber": "GaussianBlur"}, True),
    ],
)
def test_it_is_the_perturber_itself_seeded_by_the_key(path: str, arguments: dict[str, Any], seeded: bool) -> None:
    x, seeds = scenes(4), rng().bits(1)[:, 0]
    out = get(path.rsplit(".", 1)[1])(x, arguments, rng())
    for image, got, seed in zip(x, out, seeds, strict=True):
        given = arguments | ({"seed": int(seed)} if seeded else {})
        want = own(path, np.ascontiguousarray(image.movedim(0, -1)), given)
        np.testing.assert_array_equal(got.movedim(0, -1).numpy(), want)
    others = get(path.rsplit(".", 1)[1])(x, arguments, Rng(1, ("t",), KEYS))
    assert torch.equal(out, others) != seeded


def test_closed_forms() -> None:
    ramp = torch.arange(0, 200, dtype=torch.uint8).reshape(1, 1, 10, 20)
    hazed = get("HazePerturber")(ramp, {"factor": math.log(2)}, Rng(0, ("t",), [0]))
    assert torch.equal(hazed, ((ramp.double() + 99.5) / 2).to(torch.uint8))  # half the image, half the mean
    dark = get("BrightnessPerturber")(ramp, {"factor": 0.5}, Rng(0, ("t",), [0]))
    assert (dark.double() - ramp.double() / 2).abs().max() <= 0.5
    flat = torch.full((50, 1, 28, 28), 128, dtype=torch.uint8)
    noisy = get("GaussianNoisePerturber")(flat, {"mean": 0.0, "var": 0.01}, Rng(0, ("t",), range(50)))
    assert float(noisy.double().std() / 255) == pytest.approx(0.1, rel=0.02)


def test_a_gray_image_that_a_perturber_does_not_take_is_given_as_three_equal_channels() -> None:
    x, level = ink(4), {"k": [0.2, 0, 0], "color_fill": [0, 0, 0]}  # its fill has three channels
    out = get("RadialDistortionPerturber")(x, level, rng())
    colour = get("RadialDistortionPerturber")(x.expand(-1, 3, -1, -1).contiguous(), level, rng())
    assert torch.equal(out, colour[:, :1])


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({"facto": 1.0}, r"unknown argument of HazePerturber 'facto'; did you mean factor\?"),
        (0.2, r"a level of HazePerturber is a mapping of its arguments \(factor\), not 0.2"),
        ({"factor": "strong"}, "HazePerturber raised"),
    ],
)
def test_a_wrong_argument_is_an_error(level: object, message: str) -> None:
    with pytest.raises(CellError, match=message):
        get("HazePerturber")(ink(4), level, rng())


@pytest.mark.parametrize("argument", ["seed", "is_static"])
def test_the_seed_is_not_the_users(argument: str) -> None:
    with pytest.raises(CellError, match=f"unknown argument of SaltNoisePerturber '{argument}'"):
        get("SaltNoisePerturber")(ink(4), {argument: 1}, rng())


def test_names() -> None:
    with pytest.raises(ComponentError, match=r"unknown nrtk perturber 'HazePerturbr'; did you mean HazePerturber\?"):
        get("HazePerturbr")
    with pytest.raises(ComponentError, match="unknown nrtk perturber 'ComposePerturber'"):
        get("ComposePerturber")
    assert get("RandomTranslationPerturber").tables == {}
    assert {e.name: e.origin for e in entries("corruptions")}["nrtk:*"] == "robustmeta, nrtk 1.1.0 (Apache-2.0)"


def test_another_shape_is_an_error() -> None:
    with pytest.raises(CellError, match=r"returned uint8 \(20, 20, 1\); a corruption keeps uint8 \(28, 28, 1\)"):
        get("RandomCropPerturber")(ink(4), {"crop_size": [20, 20]}, rng())
