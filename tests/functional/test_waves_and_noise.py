"""Worked numbers of the fields that C-bar adds: waves, turbulence, noise of a spectrum, Perlin noise."""

import math

import numpy as np
import pytest
import torch
from closeness import close

from robustmeta.functional.perlin import absolute_octaves
from robustmeta.functional.spectral import phase_noise, wavenumber
from robustmeta.functional.waves import flow_colours, plane_wave, rings, turbulence
from robustmeta.rng import Rng

TAU = 2 * math.pi


def phases(n: int, side: int) -> torch.Tensor:
    return TAU * Rng(0, ("phases",), range(n)).uniform(1, side, side // 2)


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
