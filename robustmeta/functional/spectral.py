"""Random fields with a given spectrum."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.fft import irfft2
from torch import Tensor

from robustmeta.functional.parallel import over_rows

Places = NDArray[np.int64]


def wavenumber(height: int, width: int) -> Float[Tensor, "H W"]:
    """|k|, in waves a shorter side N, of a spectrum with 0 in its centre: k = ((row − H/2)·N/H, (column − W/2)·N/W)."""
    side = min(height, width)
    rows, columns = ((torch.arange(n) - n // 2) * (side / n) for n in (height, width))
    return (rows[:, None].square() + columns.square()).sqrt()


def phase_noise(phase: Float[Tensor, "N C H W/2"], amplitude: Float[Tensor, "H W"]) -> Float[Tensor, "N C H W"]:
    """Fields n = Re ifft2(A·e^{iφ}) / std, one a sheet of phases, of standard deviation 1 and of any mean; on the CPU.

    ``amplitude`` A(k) = A(−k) is centred; H and W are even. The phases fill the left half of the spectrum; the right
    half is the left one turned by 180°, φ(H−1−y, W−1−x) = φ(y, x). That misses the symmetry of the spectrum of a real
    field by a pixel and a sign, and taking the real part mends it: ½·A(k)·(e^{iφ(k)} + e^{−iφ(−k)}) is left, of which
    half a plane is enough. As a consequence n is not stationary: n(p) and n(−p) are correlated.
    """
    height, width = amplitude.shape
    row = ((np.arange(height) + height // 2) % height)[:, None]
    column = (np.arange(width // 2 + 1) + width // 2) % width
    here, opposite = _stored(row, column, height, width), _stored(-row % height, -column % width, height, width)
    half = amplitude.numpy()[row, column]
    cos, sin = phase.cos().flatten(-2).numpy(), phase.sin().flatten(-2).numpy()
    out = np.empty((*phase.shape[:2], height, width), np.float32)

    def work(rows: slice) -> None:
        spectrum = np.empty((phase.shape[1], *half.shape), np.complex64)
        for i in range(rows.start, rows.stop):  # image by image: the same transforms for any number of them
            np.multiply(cos[i][:, here] + cos[i][:, opposite], half, out=spectrum.real)
            np.multiply(sin[i][:, here] - sin[i][:, opposite], half, out=spectrum.imag)
            field = np.asarray(irfft2(spectrum))
            out[i] = field / field.std((-2, -1), dtype=np.float64, keepdims=True)

    over_rows(work, len(phase))
    return torch.from_numpy(out)


def _stored(row: Places, column: Places, height: int, width: int) -> Places:
    """Where in the flat left half the phase of an entry of the whole spectrum stands."""
    half = width // 2
    turned = (height - 1 - row) * half + width - 1 - column
    return np.where(column < half, row * half + column, turned)
