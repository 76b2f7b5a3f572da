"""Every built-in sequence, through one table. A new one is covered the moment it stands in its TABLE.

After raising a component's version, write its golden numbers: ``python tests/contracts/test_sequences.py``.
"""

import importlib
import pkgutil
from pathlib import Path

import goldens
import pytest
import torch
from goldens import Numbers

import robustmeta.sequences
from robustmeta import registry
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import FrameSequence
from robustmeta.testing import check_sequence

GOLDEN = Path(__file__).with_name("golden_sequences.json")
SEQUENCES = sorted(robustmeta.sequences.TABLE)
HEAVY = ("gaussian_noise", "shot_noise", "snow", "spatter", "speckle_noise", "tilt", "zoom_blur")
"""Those that take seconds to check; their numbers are looked at in every run."""


def sequence(name: str) -> FrameSequence:
    found = resolve("sequences", name)
    assert isinstance(found, FrameSequence)
    return found


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in HEAVY)) for n in SEQUENCES])
def test_every_sequence_keeps_the_rules(name: str) -> None:
    found = check_sequence(sequence(name))
    assert all(f.passed for f in found), [f for f in found if not f.passed]


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_table_names_the_decorated_objects(name: str) -> None:
    module, _, attr = robustmeta.sequences.TABLE[name].partition(":")
    found = sequence(name)
    assert (found.name, found.module, found.function.__name__) == (name, module, attr)
    assert found is registry._registered["sequences", name]
    assert (found.source, found.paper != "", found.function.__doc__ is not None) == ("", True, True)


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_table_says_whose_law_it_is_and_how_it_is_shown_equal(name: str) -> None:
    found = sequence(name)
    assert found.laws.keys() == found.parity.keys() == found.tables.keys() == found.frames.keys()
    assert set(found.parity.values()) <= {"exact", "injected-exact", "distributional", "none"}


def test_nothing_is_registered_that_the_table_lacks() -> None:
    for info in pkgutil.iter_modules(robustmeta.sequences.__path__, "robustmeta.sequences."):
        importlib.import_module(info.name)
    ours = {
        name
        for (kind, name), found in registry._registered.items()
        if kind == "sequences" and registry._where(found).startswith("robustmeta.sequences.")
    }
    assert ours == set(SEQUENCES)


def numbers(name: str) -> Numbers:
    """Mean, spread and mean distance to the frame before, of some frames of each level of each table."""
    made, out = sequence(name), {}
    for table, levels in made.tables.items():
        for images in (ink(4), scenes(4)):
            for difficulty, level in enumerate(levels, 1):
                frames = torch.stack(list(made(images, level, Rng(0, ("golden",), range(4))))).double() / 255
                for i in (0, 1, len(frames) // 2, len(frames) - 1):
                    distance = (frames[i] - frames[i - 1]).abs().mean()  # of the first: to the last
                    place = f"{table} {difficulty} {'x'.join(map(str, images.shape[1:]))} {i}"
                    out[place] = [round(float(v), 6) for v in (frames[i].mean(), frames[i].std(), distance)]
    return out


def everything() -> dict[str, Numbers]:
    return {f"{name}@{sequence(name).version}": numbers(name) for name in SEQUENCES}


def test_no_numbers_change_without_a_new_version() -> None:
    goldens.compare(everything(), goldens.load(GOLDEN))


if __name__ == "__main__":
    goldens.write(GOLDEN, everything(), indent=1)
