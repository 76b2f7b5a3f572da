"""The laws of the built-in sequences, against independent forms."""

import numpy as np
import pytest
import torch
from sequence_references import PUBLISHED, TEST, VALIDATION, hold

import robustmeta.sequences
from robustmeta.core import to_float
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.functional.frames import bilinear, moved, run_down, scaling, shearing, tilted, turning
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import FrameSequence

NOISE = {"gaussian_noise", "shot_noise", "speckle_noise"}
SEARCHED = {"shot_noise"}
"""Its independent form searches for every count, which takes seconds."""


def sequence(name: str) -> FrameSequence:
    found = resolve("sequences", name)
    assert isinstance(found, FrameSequence)
    return found


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SEARCHED)) for n in PUBLISHED])
def test_it_makes_the_published_frames(name: str) -> None:
    hold(sequence(name))


def test_there_are_ten_to_test_with_and_four_to_tune_with() -> None:
    found = {name: sequence(name) for name in robustmeta.sequences.TABLE}
    assert {n for n, s in found.items() if not s.validation} == TEST
    assert {n for n, s in found.items() if s.validation} == VALIDATION
    assert {n for n, s in found.items() if s.reference == "first"} == NOISE
    assert {len(levels) for n in NOISE for levels in found[n].tables.values()} == {3}
    assert {len(levels) for n in found.keys() - NOISE for levels in found[n].tables.values()} == {1}


@pytest.mark.parametrize("name", sorted(NOISE | {"zoom_blur"}))
def test_the_first_frame_is_clean(name: str) -> None:
    images = scenes(2)
    for level in sequence(name).tables[sequence(name).table(32)[0]]:
        assert torch.equal(next(sequence(name)(images, level, Rng(0, (), range(2)))), images)


@pytest.mark.parametrize(("name", "frame"), [("rotate", 15), ("shear", 15), ("brightness", 15), ("translate", 7)])
def test_a_frame_in_the_middle_is_clean(name: str, frame: int) -> None:
    made, images = sequence(name), scenes(2)
    frames = list(made(images, made.table(32)[1][0], Rng(0, (), range(2))))
    assert (frames[frame].int() - images.int()).abs().max() <= 1
    assert (frames[frame - 1] != images).float().mean() > 0.1


@pytest.mark.parametrize("name", sorted(NOISE))
def test_the_noise_of_a_frame_is_its_own_and_shared_by_the_difficulties(name: str) -> None:
    x, made = torch.full((64, 1, 8, 8), 0.5), sequence(name)
    of = [torch.stack(list(made.function(x, level, Rng(0, ("n",), range(64))))) - 0.5 for level in made.tables["32"]]
    noise = of[0][1:].flatten(1).double()
    assert (torch.corrcoef(noise).fill_diagonal_(0).abs() < 6 / noise.shape[1] ** 0.5).all()
    for other in of[1:]:
        same = torch.corrcoef(torch.stack([noise[4], other[5].flatten().double()]))[0, 1]
        assert same > 0.9


def test_shot_noise_has_the_variance_of_counted_light() -> None:
    made, shade = sequence("shot_noise"), 0.4
    published = {"224": (300, 120, 60), "64": (500, 250, 125), "32": (700, 400, 200)}
    x = torch.full((40, 1, 16, 16), shade)
    for table, photons in published.items():
        assert len(made.tables[table]) == 3
        for level, c in zip(made.tables[table], photons, strict=True):
            noisy = torch.stack(list(made.function(x, level, Rng(0, ("n",), range(40))))[1:]).double()
            n = noisy.numel()
            assert float(noisy.mean()) == pytest.approx(shade, abs=4 * (shade / c / n) ** 0.5)
            assert float(noisy.var()) == pytest.approx(shade / c, rel=5 * (2 / n) ** 0.5)
            counts = noisy * c
            assert (counts - counts.round()).abs().max() < 1e-3


@pytest.mark.parametrize("degrees", [0, 10, 90, 180])
def test_a_turn_takes_a_point_clockwise(degrees: float) -> None:
    x = torch.zeros(1, 1, 21, 21)
    x[0, 0, 10, 18] = 1  # to the right of the middle
    at = np.array([10 + 8 * np.sin(np.deg2rad(degrees)), 10 + 8 * np.cos(np.deg2rad(degrees))])
    got = moved(x, turning(degrees))[0, 0].double()
    centre = [(got.sum(1 - axis) * torch.arange(21)).sum() / got.sum() for axis in (0, 1)]
    np.testing.assert_allclose(centre, at, atol=0.06)


def test_moves_by_hand() -> None:
    x = to_float(torch.arange(0, 250, 10, dtype=torch.uint8).view(1, 1, 5, 5))
    assert torch.equal(moved(x, scaling(1), (2, 0))[..., 2:], x[..., :3])
    assert (moved(x, scaling(1), (2, 0))[..., :2] == 0).all()
    assert torch.equal(moved(x, scaling(1), (0, -1))[..., :4, :], x[..., 1:, :])
    assert torch.equal(moved(x, turning(90)), x.rot90(-1, (2, 3)))  # clockwise
    assert torch.equal(moved(x, turning(180)), x.flip(2, 3))
    half = moved(x, scaling(1), (0.5, 0)) * 255  # between two columns, the left half pixel of the picture once more
    assert half[0, 0, 0].round().tolist() == [0, 5, 15, 25, 35]
    small = moved(x, scaling(1 / 5))  # one pixel is left of it: the middle one
    assert small.flatten().nonzero().tolist() == [[12]]
    assert small[0, 0, 2, 2] == x[0, 0, 2, 2]
    assert torch.equal(
        moved(x, shearing(45))[0, 0],
        torch.stack([torch.roll(r, 2 - i) for i, r in enumerate(x[0, 0])])
        * (torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])),
    )


@pytest.mark.parametrize("value", [1, 100, 255])
def test_a_plain_picture_stays_plain(value: int) -> None:
    x = to_float(torch.full((1, 3, 20, 20), value, dtype=torch.uint8))
    for matrix in (turning(7), scaling(1.3), shearing(-4)):
        assert torch.equal(moved(x, matrix)[..., 8:12, 8:12], x[..., 8:12, 8:12])
    torch.testing.assert_close(tilted(x, 9)[..., 8:12, 8:12], x[..., 8:12, 8:12], rtol=0, atol=1e-6)


def test_bilinear_between_and_outside() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).view(1, 1, 2, 2)
    row = torch.tensor([[0.5, -1.0], [1.5, 0.0]], dtype=torch.float64)
    column = torch.tensor([[0.5, 0.0], [1.0, 0.25]], dtype=torch.float64)
    assert bilinear(x, row, column)[0, 0].tolist() == [[1.5, 0.0], [3.0, 0.25]]
    assert bilinear(x, row, column, dark=True)[0, 0].tolist() == [[1.5, 0.0], [1.5, 0.25]]


def test_water_runs_down() -> None:
    field = torch.zeros(1, 6, 1, dtype=torch.float64)
    field[0, 1] = 1
    assert run_down(field, (0.2, 0.8)).flatten().tolist() == [0, 0.2, 0.8, 0, 0, 0]
    assert run_down(field, (0.05, 0.1, 0.15, 0.7)).flatten().tolist() == [0.05, 0.1, 0.15, 0.7, 0, 0]
    field[0, 4] = 1
    assert run_down(field, (0.2, 0.8)).flatten().tolist() == [0, 0.2, 0.8, 0, 0.2, 0.8]  # what runs off is gone


@pytest.mark.parametrize("images", [ink(4), scenes(4)], ids=["gray", "colour"])
@pytest.mark.parametrize("name", sorted(robustmeta.sequences.TABLE))
def test_an_image_depends_on_its_key_alone(name: str, images: torch.Tensor) -> None:
    made = sequence(name)
    level = made.table(32)[1][0]
    keys = np.array([5, 2**63 + 1, 0, 12], np.uint64)
    whole = list(made(images, level, Rng(1, ("k",), keys)))
    some = list(made(images[[2, 1]], level, Rng(1, ("k",), keys[[2, 1]])))
    assert all(torch.equal(a[[2, 1]], b) for a, b in zip(whole, some, strict=True))
