import math
import pickle
import sys
from pathlib import Path

import pytest
import torch

from robustmeta import registry
from robustmeta.core import CellError
from robustmeta.corruptions.samples import ink
from robustmeta.registry import ComponentError, entries, resolve
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import FrameSequence, sequence
from robustmeta.sequences.gaussian_noise import gaussian_noise
from robustmeta.sequences.tilt import tilt

IMAGES = ink(3)
RNG = Rng(0, ("t",), range(3))


@sequence(
    family="digital", levels=(0.1, 0.2), frames=3, reference="first", name="test.dimming", validation=True, version=2
)
def dimming(x, step, rng):
    """Grows dark."""
    for i in range(3):
        yield (1 - i * step) * x


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def plugin(folder: Path, body: str) -> FrameSequence:
    file = folder / "plug.py"
    head = "from robustmeta.sequences.decorator import sequence\n\n\n@sequence(family='x', levels=(0.1,), frames=3)\n"
    file.write_text(f"{head}def mine(x, level, rng):\n    {body}\n")
    made = resolve("sequences", f"{file}:mine")
    assert isinstance(made, FrameSequence)
    return made


def test_it_is_a_registered_sequence_with_its_facts() -> None:
    assert isinstance(dimming, FrameSequence)
    assert resolve("sequences", "test.dimming") is dimming
    assert (dimming.reference, dimming.validation, dimming.version) == ("first", True, 2)
    assert (dimming.tables, dimming.frames) == ({"levels": (0.1, 0.2)}, {"levels": 3})
    assert (dimming.origin, len(dimming.source)) == ("test_sequence_decorator.py", 64)
    assert dimming.table(28) == dimming.table(224) == ("levels", (0.1, 0.2))


def test_it_makes_frames_of_bytes() -> None:
    frames = list(dimming(IMAGES, 0.2, RNG))
    assert [f.dtype for f in frames] == [torch.uint8] * 3
    assert torch.equal(frames[0], IMAGES)
    assert [int(f.max()) for f in frames] == [255, 204, 153]


def test_chunks_change_nothing() -> None:
    whole = list(gaussian_noise(IMAGES, 0.05, RNG))
    for chunk in (1, 2):
        assert all(torch.equal(a, b) for a, b in zip(whole, gaussian_noise(IMAGES, 0.05, RNG, chunk), strict=True))


def test_frames_are_made_when_they_are_asked_for() -> None:
    asked = []

    def function(x, level, rng):
        for i in range(3):
            asked.append(i)
            yield x

    frames = FrameSequence("lazy", function, {"levels": (1,)}, {"levels": 3}, "previous", "x")(IMAGES, 1, RNG)
    assert asked == []
    next(frames)
    assert asked == [0]


def test_published_tables_by_pixels() -> None:
    def moving(x, level, rng):
        for _ in range(level):
            yield x

    tables = {64: [5], "32": (4,)}
    made = sequence(tables=tables, frames={"64": 5, 32: 4}, family="x", name="test.tables")(moving)
    assert (made.tables, made.frames) == ({"64": (5,), "32": (4,)}, {"64": 5, "32": 4})
    assert [made.table(s) for s in (28, 63, 64, 224)] == [("32", (4,)), ("32", (4,)), ("64", (5,)), ("64", (5,))]
    assert made.table(28, "64") == ("64", (5,))
    assert [len(list(made(IMAGES, level, RNG))) for level in (5, 4, 9)] == [5, 4, 9]  # 9 is the user's own


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either levels=(...) or tables={...}"),
        ({"levels": (1,), "tables": {"32": (1,)}}, "give either levels=(...) or tables={...}"),
        ({"levels": (1, 2, 3, 4, 5, 6)}, "expected 1 to 5 levels"),
        ({"levels": (math.nan,)}, "a level must be a value that JSON can hold"),
        ({"tables": {"32": (1, 2), "64": (1,)}}, "its tables must have equally many levels, got 32: 2, 64: 1"),
        ({"tables": {"ink": (1,), "own": (1,)}}, "one must be named by pixels, such as '32'"),
        ({"levels": (1,), "frames": 1}, "expected at least 2 frames for each of levels, got 1"),
        ({"tables": {"32": (1,), "64": (1,)}, "frames": {"32": 3}}, "for each of 32, 64, got {'32': 3}"),
        ({"levels": (1,), "reference": "next"}, "reference is 'previous' or 'first', got 'next'"),
    ],
)
def test_wrong_use_says_what_is_wanted(arguments: dict, message: str) -> None:
    with pytest.raises(ComponentError) as error:
        sequence(**{"family": "x", "frames": 3, "name": "test.wrong", **arguments})(lambda x, a, r: iter([x]))
    assert str(error.value).startswith("sequence test.wrong: ")
    assert message in str(error.value)


def test_the_name_of_a_built_in_is_taken() -> None:
    with pytest.raises(ComponentError, match=r"'rotate' is .*; give yours another name"):
        sequence(levels=(1,), frames=2, family="x", name="rotate")(lambda x, a, r: iter([x, x]))


def test_one_of_a_file_goes_to_a_process_that_has_not_loaded_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plugin(tmp_path, "yield from (x * level ** i for i in range(3))")
    assert next(e for e in entries("sequences") if e.name == "mine").origin == "plug.py"
    packed = pickle.dumps(made)
    monkeypatch.delitem(sys.modules, made.module)
    monkeypatch.delitem(registry._registered, ("sequences", "mine"))
    again = pickle.loads(packed)
    assert again is not made
    assert (again.name, again.source, again.frames) == ("mine", made.source, {"levels": 3})
    assert all(torch.equal(a, b) for a, b in zip(again(IMAGES, 0.1, RNG), made(IMAGES, 0.1, RNG), strict=True))


def test_a_built_in_is_pickled_by_its_name() -> None:
    assert resolve("sequences", "tilt") is tilt
    assert pickle.loads(pickle.dumps(tilt)) is tilt


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("yield x; raise RuntimeError('film torn')", "raised RuntimeError: film torn"),
        ("return 1 / 0", "raised ZeroDivisionError: division by zero"),
        ("return x", "made (1, 28, 28); expected a tensor of shape (3, 1, 28, 28)"),  # its images, one by one
        ("yield x; yield x", "made 2 frames; it says 3"),
        ("yield from [x] * 4", "made 4 frames; it says 3"),
        ("yield x[..., 1:]", "made (3, 1, 28, 27); expected a tensor of shape (3, 1, 28, 28)"),
        ("yield None", "made NoneType; expected a tensor of shape (3, 1, 28, 28)"),
        ("yield x; yield x * float('nan')", "made NaN or infinite values; return values in [0, 1]"),
        ("yield x; yield 2 * x - 0.5", "made values in [-0.5, 1.5]; clamp them to [0, 1]"),
    ],
)
def test_a_bad_sequence_costs_its_cell_and_says_why(tmp_path: Path, body: str, message: str) -> None:
    made = plugin(tmp_path, body)
    with pytest.raises(CellError) as error:
        list(made(IMAGES, 0.1, RNG))
    assert str(error.value) == f"sequence mine {message}"
