"""A plane wave of one random frequency."""

import math

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.waves import plane_wave
from robustmeta.rng import Rng


@corruption(
    family="noise",
    tables={
        "224": (1, 1.5, 2, 4.5, 5),
    },
    laws={"224": "augmentation-corruption"},
    parity={"224": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def single_frequency_greyscale(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Adds 19.6·s/255 · sin(x·f_x + y·f_y + φ) to all channels; cut to [0, 1].

    One component of the frequency is uniform on (−π, π) a pixel, the other uniform below its size, in random order:
    low frequencies are drawn more often than by area. φ is uniform.
    """
    u = rng.uniform(4).to(x.device)
    large = (2 * u[:, 0] - 1) * math.pi
    pair = torch.stack([large, (2 * u[:, 1] - 1) * large.abs()], -1)
    frequency = torch.where(u[:, 3:] < 0.5, pair, pair.flip(-1))  # (f_y, f_x)
    height, width = x.shape[2:]
    amplitude = 19.6 * severity / 255

    def law(x: Tensor, frequency: Tensor, phase: Tensor) -> Tensor:
        wave = plane_wave(height, width, frequency, phase)
        return (x + wave.mul_(amplitude)[:, None]).clamp_(0, 1)

    return in_blocks(law, x, frequency, 2 * math.pi * u[:, 2])
