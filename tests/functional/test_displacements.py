"""Worked numbers of how C-bar moves pixels: sampling, refraction, twirls; and of its work in blocks."""

import math

import numpy as np
import pytest
import torch
from closeness import close
from scipy import ndimage

from robustmeta.functional.bilinear import displaced, stretched
from robustmeta.functional.blocks import PIXELS, in_blocks
from robustmeta.functional.caustics import caustic, refraction, slopes
from robustmeta.functional.twirl import cell_shift, tiled_shift
from robustmeta.rng import Rng


def test_blocks_are_small_and_in_order() -> None:
    seen: list[int] = []

    def law(x: torch.Tensor, add: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x + add[:, None, None, None]

    x = torch.zeros(5, 1, 256, 256)
    assert torch.equal(in_blocks(law, x, torch.arange(5.0))[:, 0, 0, 0], torch.arange(5.0))
    assert seen == [PIXELS // 2**16] * 2 + [1]
    assert in_blocks(law, torch.zeros(2, 3, 600, 600), torch.zeros(2)).shape == (2, 3, 600, 600)


def test_bilinear_sampling_fades_to_black_over_a_pixel() -> None:
    x = torch.tensor([[[[0.2, 0.4, 0.8]]]])
    none = torch.zeros(1, 1, 3)
    assert torch.equal(displaced(x, none, none), x)
    close(displaced(x, none, none + 0.25)[0, 0, 0], [0.25, 0.5, 0.6])
    close(displaced(x, none - 0.25, none)[0, 0, 0], [0.15, 0.3, 0.6])
    close(displaced(x, none, none - 9)[0, 0, 0], [0, 0, 0])
    close(displaced(x, none + 0.5, none - 0.5)[0, 0, 0], [0.05, 0.15, 0.3])


def test_stretched_axes_are_the_same_as_displaced_pixels() -> None:
    rng = Rng(0, ("x",), range(2))
    x, row, column = rng.uniform(3, 6, 9), rng.uniform(6) * 10 - 2, rng.uniform(9) * 12 - 2
    down = (row - torch.arange(6))[:, :, None].expand(-1, -1, 9)
    right = (column - torch.arange(9))[:, None, :].expand(-1, 6, -1)
    torch.testing.assert_close(stretched(x, row, column), displaced(x, down, right), rtol=0, atol=2e-6)
    for image, y, z, got in zip(x, row, column, stretched(x, row, column), strict=True):
        places = np.meshgrid(y.numpy(), z.numpy(), indexing="ij")
        for c in range(3):
            want = ndimage.map_coordinates(image[c].numpy(), places, order=1, mode="grid-constant")
            close(got[c], want, 2e-6)


def test_a_caustic_has_the_period_of_its_scale_and_fills_0_to_1() -> None:
    field = caustic(60, 60, torch.tensor([20.0, 55.0]), torch.tensor([0.7, 1.4]))
    close(field[0, :20, :20], field[0, 20:40, 40:].numpy(), 2e-3)
    assert not torch.allclose(field[1, :20, :20], field[1, 20:40, 40:], atol=0.05)
    assert 0 <= float(field.min()) < 0.05
    assert 0.5 < float(field.max()) <= 1


def test_slopes_see_nothing_beyond_the_border() -> None:
    dy, dx = slopes(torch.ones(1, 4, 5))
    close(dy[0], [[1] * 5, [0] * 5, [0] * 5, [-1] * 5])
    close(dx[0], [[1, 0, 0, 0, -1]] * 4)


@pytest.mark.parametrize("slope", [0.05, 0.3, 1.0, 1.9])
def test_light_is_refracted_by_snell_s_law(slope: float) -> None:
    oy, ox = refraction(torch.full((1, 1, 1), slope), torch.zeros(1, 1, 1), 1000.0)
    outside = math.atan(slope)  # between the vertical ray and the normal
    inside = math.asin(math.sin(outside) / 4)
    sideways = math.sin(outside - inside)  # of the unit ray that goes on
    assert float(oy) == pytest.approx(1000 * sideways, abs=1e-3)
    assert float(ox) == 0


def test_offsets_jump_at_the_rim_of_the_dead_zone_and_have_three_decimals() -> None:
    at = math.sqrt(1 / 0.999**2 - 1)  # the slope whose normal has n_z = 0.999
    slope = torch.tensor([[[at - 1e-4, at + 1e-4, 0.5]]])
    oy, _ = refraction(slope, torch.zeros_like(slope), 10.0)
    assert float(oy[0, 0, 0]) == 0
    assert float(oy[0, 0, 1]) == pytest.approx(0.335, abs=1.1e-3)
    close(oy * 1000, (oy * 1000).round().numpy(), 1e-3)


def test_a_cell_keeps_its_middle_its_rim_and_what_is_outside_the_disk() -> None:
    shift = cell_shift(10, 0.4, math.pi / 2)
    assert shift.shape == (2, 10, 10)
    for place in ((5, 5), (0, 0), (9, 0), (0, 5), (5, 0), (1, 2)):  # the centre, corners, the rim at distance 5
        close(shift[:, place[0], place[1]], [0, 0])
    size = math.sin(math.pi / 2 * 0.4) ** -0.4
    turn = math.pi / 2 * 0.6**2
    close(shift[:, 7, 5], [2 * size * math.cos(turn) - 2, 2 * size * math.sin(turn)])
    close(shift[:, 5, 7], [-2 * size * math.sin(turn), 2 * size * math.cos(turn) - 2])


def test_cells_tile_the_image_with_their_own_signs() -> None:
    forward = torch.tensor([[[True, False, False], [False, True, True], [True, True, False]]])
    whole = tiled_shift(32, 32, 10, 0.4, 1.0, forward)
    assert whole.shape == (2, 1, 32, 32)
    for row, column in np.ndindex(3, 3):
        part = whole[:, 0, 10 * row : 10 * row + 10, 10 * column : 10 * column + 10]
        assert torch.equal(part, cell_shift(10, 0.4, 1.0 if forward[0, row, column] else -1.0))
    assert not whole[..., 30:].any()
    assert not whole[:, :, 30:].any()
