"""Every built-in corruption on every kind of input; a new one is covered the moment it stands in the TABLE."""

from collections.abc import Iterator

import pytest
import torch
from any_input import LARGE, SHAPES, hold, hold_on_gpu

import robustmeta as rm
from robustmeta.core import to_float
from robustmeta.corruptions import TABLE
from robustmeta.corruptions.samples import scenes
from robustmeta.registry import resolve
from robustmeta.shifts.corruption import Corruption

NAMES = sorted(n for n in TABLE if not n.endswith(":*"))
SMALL, PHOTOGRAPHS = SHAPES[:-2], SHAPES[-2:]
HEAVY = ("circular_motion_blur", "zoom_blur")
"""Those that take a second for a photograph."""


def size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def corruption(name: str) -> Corruption:
    found = resolve("corruptions", name)
    assert isinstance(found, Corruption)
    return found


@pytest.mark.parametrize("shape", SMALL, ids=size)
@pytest.mark.parametrize("name", NAMES)
def test_any_shape_in_uint8_and_float(name: str, shape: tuple[int, ...]) -> None:
    hold(corruption(name), shape)


@pytest.mark.parametrize("shape", PHOTOGRAPHS, ids=size)
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in HEAVY)) for n in NAMES])
def test_photographs_in_uint8_and_float(name: str, shape: tuple[int, ...]) -> None:
    hold(corruption(name), shape)


@pytest.mark.parametrize("name", NAMES)
def test_plain_images_are_no_division_by_zero(name: str) -> None:
    for value in (0, 77, 255):
        for channels in (1, 3):
            images = torch.full((1, channels, 32, 32), value, dtype=torch.uint8)
            for severity in (1, 5):
                exact = rm.corrupt(to_float(images), name, severity)
                assert exact.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_colour_is_changed_at_every_severity(name: str) -> None:
    x = to_float(scenes(2, 64))
    for severity in range(1, 6):
        assert not torch.equal(rm.corrupt(x, name, severity), x), severity


@pytest.mark.parametrize("name", NAMES)
def test_the_threads_change_nothing(name: str) -> None:
    images = scenes(3, 32)
    before, made = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        made.append(rm.corrupt(images, name, 3))
    torch.set_num_threads(before)
    assert torch.equal(*made)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", NAMES)
def test_on_a_gpu_as_far_as_one_can_be_pretended(name: str) -> None:
    hold_on_gpu(corruption(name))


def test_the_shapes_are_what_is_promised() -> None:
    sides = [side for shape in SHAPES for side in shape[2:]]
    assert (min(sides), max(sides)) == (28, 512)
    assert {shape[1] for shape in SHAPES} == {1, 3}
    assert sum(shape[2] != shape[3] for shape in SHAPES) > 3
    assert any(shape[2] * shape[3] > LARGE for shape in SHAPES)
