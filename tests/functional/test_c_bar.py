"""Worked numbers of the mathematics behind the C-bar corruptions."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from robustmeta.functional.bilinear import displaced, stretched
from robustmeta.functional.blocks import PIXELS, in_blocks
from robustmeta.functional.caustics import caustic, refraction, slopes
from robustmeta.functional.checkerboard import taken
from robustmeta.functional.perlin import absolute_octaves
from robustmeta.functional.polar import angle
from robustmeta.functional.rotate import WEIGHTS, quarter_matrix, spin
from robustmeta.functional.sparkle import light
from robustmeta.functional.spectral import phase_noise, wavenumber
from robustmeta.functional.spline import taps, zoom
from robustmeta.functional.strokes import cover, draw
from robustmeta.functional.twirl import cell_shift, tiled_shift
from robustmeta.functional.waves import flow_colours, plane_wave, rings, turbulence
from robustmeta.rng import Rng

TAU = 2 * math.pi


def close(got: torch.Tensor, want: object, atol: float = 1e-6) -> None:
    np.testing.assert_allclose(got.numpy(), want, atol=atol, rtol=0)


def phases(n: int, side: int) -> torch.Tensor:
    return TAU * Rng(0, ("phases",), range(n)).uniform(1, side, side // 2)


def test_blocks_are_small_and_in_order() -> None:
    seen: list[int] = []

    def law(x: torch.Tensor, add: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x + add[:, None, None, None]

    x = torch.zeros(5, 1, 256, 256)
    assert torch.equal(in_blocks(law, x, torch.arange(5.0))[:, 0, 0, 0], torch.arange(5.0))
    assert seen == [PIXELS // 2**16] * 2 + [1]
    assert in_blocks(law, torch.zeros(2, 3, 600, 600), torch.zeros(2)).shape == (2, 3, 600, 600)


@pytest.mark.parametrize("place", [(0, 0), (0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (-1, 1), (2.5, -0.1)])
def test_the_angle_is_atan2(place: tuple[float, float]) -> None:
    a, b = torch.tensor([place[0]]), torch.tensor([place[1]])
    close(angle(a, b), [math.atan2(*place)])


def test_a_plane_wave_of_a_quarter_turn_a_pixel() -> None:
    frequency, phase = torch.tensor([[0, math.pi / 2], [math.pi, 0]]), torch.tensor([0, math.pi / 2])
    wave = plane_wave(3, 4, frequency, phase)
    close(wave[0], [[0, 1, 0, -1]] * 3)
    close(wave[1], [[1] * 4, [-1] * 4, [1] * 4])


def test_rings_are_a_sawtooth_of_the_radius_with_a_seam() -> None:
    one = torch.ones(1)
    plain = rings(1, 6, torch.zeros(1, 2), one, 0 * one, 4 * one)
    close(plain[0, 0], [-0.5, -0.25, 0, 0.25, -0.5, -0.25])
    wavy = rings(31, 31, torch.full((1, 2), 15.25), 0.5 * one, 3 * one, 40 * one)[0]
    whole = rings(31, 31, torch.full((1, 2), 15.25), 2 * one, 3 * one, 40 * one)[0]
    seam = (slice(0, 10), slice(15, 17))  # along x = c_x, above the centre
    assert float(wavy[seam].diff(dim=1).abs().min()) > 0.1  # 2A·sin(kπ) / w = 0.15
    assert float(whole[seam].diff(dim=1).abs().max()) < 0.03


def test_turbulence_of_one_whirl() -> None:
    scale, time, roughness = torch.tensor([2.0]), torch.tensor([0.3]), torch.tensor([0.75])
    y, x = turbulence(3, 4, scale, time, roughness, torch.tensor([1]))
    r0, r1 = math.cos(2 / 2 + 0.3), math.sin(3 / 2 + 0.3)
    close(y[0, 2, 3], 2 / 2 + r1 + 0.3 * r0)
    close(x[0, 2, 3], 3 / 2 + r0 - 0.3 * r1)
    second_y, second_x = turbulence(3, 4, scale, time, roughness, torch.tensor([2]))
    r0 = math.cos(1.93 * float(y[0, 2, 3]) + 0.3 / 1.15) / 1.5
    r1 = math.sin(1.93 * float(x[0, 2, 3]) + 0.3 / 1.15) / 1.5
    close(second_y[0, 2, 3], float(y[0, 2, 3]) + r1 + 0.3 * r0)
    close(second_x[0, 2, 3], float(x[0, 2, 3]) + r0 - 0.3 * r1)
    red, green, blue = flow_colours(y, x, time)[0, :, 2, 3].tolist()
    u, v = float(x[0, 2, 3]), float(y[0, 2, 3])
    assert [red, green, blue] == pytest.approx(
        [math.sin(u - 0.3), math.sin((u + v + math.sin(0.3)) / 2), math.sin(v + 0.3)], abs=1e-6
    )


def test_a_spectrum_of_one_pair_of_frequencies_is_a_cosine() -> None:
    """All amplitude at k and −k: A·cos a·e^{ib} of the pair's phases, so a plane wave of phase b, of any cos a."""
    side, column = 8, 2
    amplitude = torch.zeros(side, side)
    amplitude[4, 4 + column] = amplitude[4, 4 - column] = 1.0
    phase = phases(1, side)
    field = phase_noise(phase, amplitude)[0, 0].double()
    mirrored = float(phase[0, 0, side - 1 - 4, side - 1 - (4 + column)])
    other = float(phase[0, 0, 4, 4 - column])
    a, b = (mirrored + other) / 2, (mirrored - other) / 2
    wave = math.cos(a) * torch.cos(TAU * column * torch.arange(side) / side + b)
    close(field, (wave / wave.std(correction=0)).expand(side, side).numpy(), 1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (8, 12), (28, 32)])
def test_phase_noise_is_the_real_part_of_the_whole_transform(shape: tuple[int, int]) -> None:
    height, width = shape
    half = TAU * Rng(0, ("phases",), [7]).uniform(1, height, width // 2)
    k = wavenumber(height, width)
    got = phase_noise(half, 1 / (k.square() + 1))
    left = half[0, 0].double().numpy()
    whole = np.concatenate([left, left[::-1, ::-1]], 1)
    spectrum = np.fft.ifftshift(np.exp(1j * whole) / (k.double().numpy() ** 2 + 1))
    want = np.fft.ifft2(spectrum).real
    close(got[0, 0], want / want.std(), 2e-5)


def test_wavenumbers_count_waves_a_shorter_side() -> None:
    k = wavenumber(8, 16)
    assert k.shape == (8, 16)
    assert (float(k[4, 8]), float(k[5, 8]), float(k[4, 10])) == (0, 1, 1)
    assert float(k[0, 0]) == pytest.approx(math.hypot(4, 4))


def test_phase_noise_is_not_stationary_as_published() -> None:
    """corr(n(p), n(−p)) = cos(2π(y + x) / N) for blue noise."""
    n, side = 4000, 16
    field = phase_noise(phases(n, side), wavenumber(side, side))[:, 0].double()
    turned = field.roll((-1, -1), (1, 2)).flip(1, 2)  # n(−p), indices modulo N
    correlation = (field * turned).mean(0) / (field.square().mean(0) * turned.square().mean(0)).sqrt()
    at = torch.arange(side)
    want = torch.cos(TAU * (at[:, None] + at) / side)
    off = (correlation - want).abs()
    off[:: side // 2, :: side // 2] = 0  # there p is −p
    assert float(off.max()) < 0.06
    close(field.std((1, 2), correction=0), np.ones(n), 1e-5)
    assert float(field.mean((1, 2)).abs().max()) < 1e-5


def test_perlin_noise_is_zero_at_corners_and_known_between() -> None:
    permutation, gradient = torch.arange(256)[None], torch.zeros(1, 256, 2)
    gradient[0, 0] = torch.tensor([0.6, 0.8])  # perm[perm[0] + 0] = 0: the corner at the origin
    noise = absolute_octaves(5, 5, 4096.0, permutation, gradient)  # only the innermost of the first cells
    assert float(noise[0, 0, 0]) == 0
    t = torch.arange(5, dtype=torch.float64) / 4096
    want = torch.zeros(5, 5, dtype=torch.float64)
    for f in (1, 2, 4, 8, 16):
        w = 1 - 3 * (f * t) ** 2 + 2 * (f * t) ** 3
        want += 1.5 / f * w[:, None] * w * (0.6 * f * t[:, None] + 0.8 * f * t)
    close(noise[0], want.numpy(), 1e-6)
    middle = absolute_octaves(3, 3, 2.0, permutation, gradient)[0, 1, 1]  # t = ½ of octave 1; the others at corners
    close(middle, 1.5 * 0.25 * (0.5 * 0.6 + 0.5 * 0.8))


def test_the_lattice_of_perlin_noise_is_its_hash() -> None:
    """A gradient lights up the cells around the corners that the permutation sends to it, row first."""
    permutation = Rng(0, ("p",), [3]).permutation(256)
    p = permutation[0].tolist()
    gradient = torch.zeros(1, 256, 2)
    gradient[0, p[(p[1] + 2) % 256], 0] = 1.0
    octave = absolute_octaves(64, 64, 16.0, permutation, gradient)[0]
    assert float(octave[16 + 8, 32]) >= 1.5 * 0.5 * 0.5 - 1e-6  # half a cell below the corner (1, 2)
    assert float(octave[24, 32]) > float(octave[32, 24])


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


def test_cubic_spline_weights() -> None:
    knot, weight = taps(np.array([0.0, 2.0, 2.5, 5.0]), 6)
    np.testing.assert_allclose(weight.T[0], [1 / 6, 4 / 6, 1 / 6, 0])
    np.testing.assert_allclose(weight.T[2], np.array([1, 23, 23, 1]) / 48)
    np.testing.assert_allclose(weight.sum(0), 1)
    assert knot.T.tolist() == [[1, 0, 1, 2], [1, 2, 3, 4], [1, 2, 3, 4], [4, 5, 4, 3]]


def test_a_zoom_of_1_smooths_by_1_4_1() -> None:
    x = torch.zeros(1, 5, 5)
    x[0, 2, 2] = 36
    line = np.array([0, 1, 4, 1, 0])
    close(zoom(x, 1)[0], np.outer(line, line), 1e-5)
    x = torch.zeros(1, 5, 5)
    x[0, 0, 2] = 36
    close(zoom(x, 1)[0], np.outer([4, 1, 0, 0, 0], line), 1e-5)
    x = torch.zeros(1, 5, 5)
    x[0, 1, 2] = 36
    close(zoom(x, 1)[0], np.outer([2, 4, 1, 0, 0], line), 1e-5)  # mirrored at the outer pixel


@pytest.mark.parametrize("shape", [(32, 32), (33, 40)])
@pytest.mark.parametrize("factor", [1.0, 1.025, 1.25, 1.5])
def test_a_zoom_is_scipy_s_without_its_prefilter(shape: tuple[int, int], factor: float) -> None:
    x = Rng(0, ("x",), [1]).uniform(*shape)
    big = ndimage.zoom(x[0].double().numpy(), factor, order=3, prefilter=False)
    top, left = ((b - n) // 2 for b, n in zip(big.shape, shape, strict=True))
    close(zoom(x, factor)[0], big[top : top + shape[0], left : left + shape[1]])


@pytest.mark.parametrize("shape", [(16, 16), (15, 20), (17, 9)])
def test_spinning_is_the_weighted_mean_of_scipy_s_turns(shape: tuple[int, int]) -> None:
    x = Rng(0, ("x",), [1, 2]).uniform(1, *shape)
    for image, got in zip(x, spin(x, 12.0), strict=True):
        turned = [
            weight * ndimage.rotate(image[0].double().numpy(), 12 * u, reshape=False, order=3)
            for u, weight in zip(np.linspace(-1, 1, 21), WEIGHTS, strict=True)
        ]
        close(got[0], sum(turned), 2e-6)


def test_spinning_weights_and_the_spin_of_nothing() -> None:
    assert float(WEIGHTS.sum()) == pytest.approx(1)
    assert float(WEIGHTS[0] / WEIGHTS[10]) == pytest.approx(math.exp(-2))
    x = Rng(0, ("x",), [1]).uniform(1, 9, 12)
    close(spin(x, 0.0), x.numpy(), 2e-6)
    assert quarter_matrix(9, 12, 5.0).shape == (5 * 6, 9 * 12)


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
