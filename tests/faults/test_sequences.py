"""Each check of sequences and of their flips turns red on a planted fault."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sequence_references import PUBLISHED, hold
from torch import Tensor

from robustmeta.functional import frames as frames_module
from robustmeta.functional.frames import bilinear, scaling, shearing, turning
from robustmeta.functional.noise import additive
from robustmeta.metrics.flips import flips
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import FrameSequence
from robustmeta.sequences.gaussian_noise import gaussian_noise
from robustmeta.sequences.rotate import rotate
from robustmeta.sequences.translate import translate
from robustmeta.sequences.zoom_blur import zoom_blur
from robustmeta.testing import Finding, check_sequence

Frames = Callable[[Tensor, Any, Rng], Iterator[Any]]


def red(findings: list[Finding]) -> list[str]:
    return [f.name for f in findings if not f.passed]


def noisy(x: Tensor, p: float, rng: Rng) -> Iterator[Tensor]:
    yield x
    for i in range(1, 4):
        yield (1 - p) * x + p * rng.child("frame", i).uniform(*x.shape[1:])


def each(frame: Callable[[Tensor, Any, Rng, int], Any]) -> Frames:
    """Four frames of a function of the frame's number."""

    def function(x: Tensor, p: Any, rng: Rng) -> Iterator[Any]:
        for i in range(4):
            yield frame(x, p, rng, i)

    return function


def fades(x: Tensor, p: float, i: int) -> Tensor:
    return x * (1 - p * i / 4)


def in_place(x: Tensor, p: float, rng: Rng) -> Iterator[Tensor]:
    yield x
    for _ in range(3):
        x.mul_(1 - p / 4)
        yield x.clone()


def one_buffer(x: Tensor, p: float, rng: Rng) -> Iterator[Tensor]:
    total = x.clone()
    for _ in range(4):
        total.mul_(1 - p / 4)
        yield total


def one_noise(x: Tensor, p: float, rng: Rng) -> Iterator[Tensor]:
    yield x
    noise = rng.uniform(*x.shape[1:])
    for _ in range(3):
        yield (1 - p) * x + p * noise


FAULTY: dict[str, tuple[Frames, list[str]]] = {
    "none": (noisy, []),
    "raises": (each(lambda x, p, rng, i: x / 0 if i < 2 else 1 / 0), ["runs"]),
    "NaN in a late frame": (each(lambda x, p, rng, i: x / (i < 3) if i < 3 else x / 0 * 0), ["runs"]),
    "too few frames": (lambda x, p, rng: iter([x, x * p]), ["runs"]),
    "another shape": (each(lambda x, p, rng, i: x[..., i:]), ["runs"]),
    "out of range": (each(lambda x, p, rng, i: x + i * p), ["runs"]),
    "a little out of range": (each(lambda x, p, rng, i: fades(x, p, i) - 5e-7), ["shape, type and range"]),
    "float64": (each(lambda x, p, rng, i: fades(x, p, i).double()), ["shape, type and range"]),
    "no seed": (
        each(lambda x, p, rng, i: (1 - p) * x + p * torch.rand(x.shape)),
        ["same key", "batch size and order", "nothing else touched"],
    ),
    "random's generator": (
        each(lambda x, p, rng, i: fades(x, p + 0 * random.random(), i)),
        ["nothing else touched"],
    ),
    "the batch's mean": (each(lambda x, p, rng, i: fades((x + x.mean()) / 2, p, i)), ["batch size and order"]),
    "the row's number": (
        each(lambda x, p, rng, i: x * (1 - p * (torch.arange(len(x)) * i / 12)[:, None, None, None])),
        ["batch size and order"],
    ),
    "the level in the key": (lambda x, p, rng: noisy(x, p, rng.child(p)), ["shared draws"]),
    "easier with difficulty": (lambda x, p, rng: noisy(x, 1 - p, rng), ["harder with difficulty"]),
    "as hard at all difficulties": (lambda x, p, rng: noisy(x, 0.5, rng), ["harder with difficulty"]),
    "writes into its input": (in_place, ["nothing else touched"]),
    "writes into its frames": (one_buffer, ["nothing else touched"]),
    "one noise for all frames": (one_noise, ["frames differ"]),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_sequence(name: str) -> None:
    function, wanted = FAULTY[name]
    made = FrameSequence(name, function, {"levels": (0.2, 0.6)}, {"levels": 4}, "first", "x")
    follows = {"pickle"} if function is not noisy else set()  # what is no name of a module cannot be sent anywhere
    assert [f for f in red(check_sequence(made)) if f not in follows] == wanted


def test_frames_that_rest() -> None:
    def resting(x: Tensor, p: float, rng: Rng) -> Iterator[Tensor]:
        yield from [x, x, x * (1 - p), x * (1 - p), x * (1 - p)]

    made = FrameSequence("resting", resting, {"levels": (0.2,)}, {"levels": 5}, "previous", "x")
    assert "frames differ" in red(check_sequence(made))


def with_levels(sequence: FrameSequence, **tables: tuple[Any, ...]) -> FrameSequence:
    return replace(sequence, tables={**sequence.tables, **{t.strip("_"): levels for t, levels in tables.items()}})


@pytest.mark.parametrize(
    "sequence",
    [
        with_levels(gaussian_noise, _32=gaussian_noise.tables["64"]),
        with_levels(gaussian_noise, _224=gaussian_noise.tables["224"][::-1]),
        with_levels(rotate, levels=(0.9,)),
        with_levels(zoom_blur, levels=(0.005,)),
    ],
    ids=["the noise of another size", "the difficulties in another order", "a smaller turn", "a larger step"],
)
def test_other_levels(sequence: FrameSequence) -> None:
    with pytest.raises(AssertionError, match="off"):
        hold(sequence)


def test_a_frame_less() -> None:
    shorter = replace(translate, tables={**translate.tables, "32": ((-7, 7),)}, frames={**translate.frames, "32": 15})
    with pytest.raises(AssertionError, match="15 frames, published are 16"):
        hold(shorter)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_frame_out_of_step(name: str) -> None:
    """The first frame is shown twice, so that every other comes a frame late."""
    made = resolve("sequences", name)
    assert isinstance(made, FrameSequence)

    def late(x: Tensor, level: Any, rng: Rng) -> Iterator[Tensor]:
        frames = list(made.function(x, level, rng))
        yield from [frames[0], *frames[:-1]]

    with pytest.raises(AssertionError, match="off"):
        hold(replace(made, function=late))


def test_noise_that_adds_up() -> None:
    def walking(x: Tensor, std: float, rng: Rng) -> Iterator[Tensor]:
        yield x
        for frame in range(1, 31):
            x = additive(x, std, rng.child("frame", frame).normal(*x.shape[1:]))
            yield x

    with pytest.raises(AssertionError, match="off"):
        hold(replace(gaussian_noise, function=walking))


def rounded(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Half a level more, so that the cut rounds."""
    return bilinear(x, *args, **kwargs) + 0.5 / 255


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("rotate", lambda x, r, c, dark=False: bilinear(x, r + 0.5, c + 0.5, dark=dark)),  # half a pixel
        ("rotate", lambda x, r, c, dark=False: bilinear(x, r, c, dark=True)),  # fades out at the edges
        ("rotate", rounded),
        ("tilt", lambda x, r, c, dark=False: bilinear(x, r + 0.5, c + 0.5, dark=dark)),
        ("tilt", lambda x, r, c, dark=False: bilinear(x, r, c, dark=False)),  # its edges go on
    ],
)
def test_another_sampling(name: str, fault: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "bilinear", fault)
    made = resolve("sequences", name)
    assert isinstance(made, FrameSequence)
    with pytest.raises(AssertionError, match="off"):
        hold(made)


@pytest.mark.parametrize(
    ("name", "attribute", "fault"),
    [
        ("rotate", "turning", lambda a: turning(-a)),
        ("shear", "shearing", lambda a: shearing(a).mT),
        ("scale", "scaling", lambda f: scaling(1 / f)),
        ("zoom_blur", "scaling", lambda f: scaling(2 - f)),
        ("translate", "moved", lambda x, m, shift: frames_module.moved(x, m, (-shift[0], 0))),
        ("spatter", "run_down", lambda field, run: frames_module.run_down(field, run[::-1])),
        ("spatter", "run_down", lambda field, run: field),
    ],
)
def test_another_motion(
    name: str, attribute: str, fault: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = resolve("sequences", name)
    assert isinstance(made, FrameSequence)
    monkeypatch.setitem(made.function.__globals__, attribute, fault)
    with pytest.raises(AssertionError, match="off"):
        hold(made)


def test_flips_are_told_from_other_counts() -> None:
    frames = np.array([[0, 1], [1, 1], [0, 1], [2, 2]])
    assert flips(frames, "previous").tolist() == [1, pytest.approx(1 / 3)]
    assert flips(frames, "first").tolist() == [pytest.approx(2 / 3), pytest.approx(1 / 3)]
    over_frames = (frames[1:] != frames[:-1]).sum(0) / len(frames)  # F for F − 1
    wrong_answers = (frames != np.array([0, 1])).mean(0)  # of labels 0 and 1
    rolled = (frames != np.roll(frames, 1, 0)).mean(0)  # the first after the last
    for fault in (over_frames, wrong_answers, rolled):
        assert not np.allclose(fault, flips(frames, "previous"))
        assert not np.allclose(fault, flips(frames, "first"))
