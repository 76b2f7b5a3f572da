"""Worked numbers of what C-bar draws: boards, rays, lines."""

import math

import numpy as np
import pytest
import torch
from closeness import close

from robustmeta.functional.checkerboard import taken
from robustmeta.functional.polar import angle
from robustmeta.functional.sparkle import light
from robustmeta.functional.strokes import cover, draw


@pytest.mark.parametrize("place", [(0, 0), (0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (-1, 1), (2.5, -0.1)])
def test_the_angle_is_atan2(place: tuple[float, float]) -> None:
    a, b = torch.tensor([place[0]]), torch.tensor([place[1]])
    close(angle(a, b), [math.atan2(*place)])


def test_a_checkerboard_that_is_not_turned() -> None:
    table = torch.ones(1, 4, 4, dtype=torch.bool)
    board = taken(8, 8, torch.zeros(1), torch.full((1,), 2.0), table)[0]
    y, x = np.indices((8, 8)) // 2
    np.testing.assert_array_equal(board.numpy(), (y + x) % 2 == 0)
    table[0, 1, 1] = False
    assert not taken(8, 8, torch.zeros(1), torch.full((1,), 2.0), table)[0, 2:4, 2:4].any()


def test_a_checkerboard_turned_by_a_quarter() -> None:
    """n₁ = x / σ and n₂ = −y / σ; an entry −2 holds n₂ from −2 to −3, its number wrapping to 6."""
    table = torch.zeros(1, 8, 8, dtype=torch.bool)
    table[0, 1, 6] = True
    board = taken(8, 8, torch.full((1,), math.pi / 2), torch.full((1,), 1.9), table)[0]
    assert board.nonzero().tolist() == [[4, 2], [4, 3], [5, 2], [5, 3]]


def test_the_light_between_two_rays() -> None:
    """Four rays: one up (q = 0), left (1), down (2), right (3), as atan2(x, y) counts; L is linear between them."""
    length = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    w = light(21, 21, torch.full((1, 2), 10.0), torch.tensor([4]), length, 1)[0]
    close(w[10, 18], 4**2 / (8**2 + 1e-4) * 0.75)
    close(w[18, 10], 3**2 / (8**2 + 1e-4) * 0.75)
    close(w[10, 2], 2**2 / (8**2 + 1e-4) * 0.75)
    close(w[2, 10], 1 / (8**2 + 1e-4) * 0.75)
    close(w[16, 16], 3.5**2 / (72 + 1e-4))  # halfway between down and right, where the factor is 1
    close(w[4, 16], 2.5**2 / (72 + 1e-4))  # from the last ray back to the first
    close(w[10, 11], 1)  # L² / r² = 16 is cut after the factor of ¾, not before
    power = light(21, 21, torch.full((1, 2), 10.0), torch.tensor([4]), length, 0.5)[0]
    close(power[16, 16], 3.5 / math.sqrt(72 + 1e-4))


def picture(start: tuple[int, int], end: tuple[int, int], side: int = 9) -> torch.Tensor:
    """The weights of one line, (side, side)."""
    pixel, weight = cover(side, side, torch.tensor([[start]]), torch.tensor([[end]]))
    out = torch.zeros(side * side + 1)
    out[pixel.flatten()] = weight.flatten()
    return out[:-1].view(side, side)


def test_straight_lines_cover_their_pixels_and_nothing_else() -> None:
    across = picture((4, -3), (4, 12))
    assert torch.equal(across, torch.eye(9)[4][:, None].expand(9, 9))
    assert torch.equal(picture((-3, 4), (12, 4)), across.T)
    assert torch.equal(picture((4, 2), (4, 5))[4], torch.tensor([0, 0, 1, 1, 1, 1, 0, 0, 0]).float())


def test_a_diagonal_line_covers_three_pixels_across() -> None:
    got = picture((-2, -2), (12, 12))
    want = torch.eye(9) + (1 - math.sqrt(0.5)) * (torch.eye(9).roll(1, 0).tril() + torch.eye(9).roll(1, 1).triu())
    close(got, want.numpy())


def test_weights_fall_with_the_distance_from_the_line() -> None:
    got = picture((0, 0), (4, 12))  # rows = columns / 3
    for y, x in np.ndindex(9, 9):
        assert float(got[y, x]) == pytest.approx(max(0, 1 - abs(3 * y - x) / math.sqrt(10)), abs=1e-6)
    assert torch.equal(picture((4, 12), (0, 0)), got)


def test_lines_are_drawn_one_after_the_other_and_cut() -> None:
    x = torch.tensor([[[[0.0, 255.0, 128.0]]]])
    pixel, weight = torch.tensor([[[0, 1, 2], [0, 1, 3]]]), torch.tensor([[[0.3, 0.3, 0.3], [0.5, 0.5, 1.0]]])
    got = draw(x, pixel, weight, 128)[0, 0, 0]
    first = [math.floor(0.3 * 128), math.floor(0.7 * 255 + 0.3 * 128)]
    assert got.tolist() == [math.floor(first[0] / 2 + 64), math.floor(first[1] / 2 + 64), 128]
