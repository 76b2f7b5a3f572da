"""The transforms with levels on nrtk-albumentations, the maintained fork of the same import name: it stands first on
PYTHONPATH (``.ci/parity`` lays it into a folder of its own). What it draws may differ; the rules hold all the same."""

import sys

import pytest
import torch
from conftest import unavailable

from robustmeta.corruptions.albumentations_levels import LEVELS
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.registry import entries, resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.sources import library, owner
from robustmeta.testing import check_corruption

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("fork")]
RNG = Rng(0, ("t",), range(3))


@pytest.fixture(scope="module")
def fork() -> None:
    found = owner("albumentations")
    if found is None or found.name != "nrtk-albumentations":
        unavailable(f"albumentations is {library('albumentations')}, not the fork; put .ci/parity's on PYTHONPATH")


def get(name: str) -> Corruption:
    made = resolve("corruptions", f"albumentations:{name}")
    assert isinstance(made, Corruption)
    return made


def test_the_fork_is_named_and_is_what_runs() -> None:
    made = get("RandomRain")
    assert made.origin == "nrtk-albumentations 2.3.0 (MIT)"
    assert made.source.startswith("nrtk-albumentations 2.3.0, opencv ")
    assert {e.name: e.origin for e in entries("corruptions")}["albumentations:*"] == f"robustmeta, {made.origin}"
    file, found = sys.modules["albumentations"].__file__, owner("albumentations")
    assert found is not None
    assert file == str(found.locate_file("albumentations/__init__.py"))


@pytest.mark.parametrize("name", LEVELS)
def test_levels_keep_to_the_rules(name: str) -> None:
    made = get(name)
    assert made.tables == {"levels": LEVELS[name]}
    found = check_corruption(made, scenes(3))
    assert all(f.passed for f in found), [f for f in found if not f.passed]


@pytest.mark.parametrize("name", LEVELS)
def test_gray_images_of_any_shape_are_taken(name: str) -> None:
    for x in (ink(3), scenes(3, 64)[:, :1, :, :40]):
        for level in LEVELS[name]:
            out = get(name)(x, level, RNG)
            assert out.shape == x.shape
            assert torch.equal(out, get(name)(x, level, RNG))
            assert not torch.equal(out, x)


def test_a_wrong_argument_is_an_error_there_too() -> None:
    with pytest.raises(Exception, match=r"unknown argument of GaussNoise 'std_rang'; did you mean std_range\?"):
        get("GaussNoise")(scenes(3), {"std_rang": [0.1, 0.2]}, RNG)
