"""Waves that stretch and squeeze rows and columns."""

import math

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.bilinear import stretched
from robustmeta.functional.blocks import in_blocks
from robustmeta.rng import Rng


@corruption(
    family="geometry",
    tables={
        "32": (5.5, 6, 6.5, 7.5, 8),
    },
    laws={"32": "augmentation-corruption"},
    parity={"32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def ripple(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Takes the pixel at p from p + A·sin(2π·p/λ + φ) on each axis, A = s/400 of its length, bilinear on black.

    λ is U(0.1, 0.3) of the length of the axis and φ uniform. As published an axis is displaced by its own coordinate:
    rows and columns are stretched, not sheared.
    """
    u = rng.uniform(2, 2).to(x.device)
    waves = (0.1 + 0.2 * u[..., 0], 2 * math.pi * u[..., 1])

    def law(x: Tensor, wavelength: Tensor, phase: Tensor) -> Tensor:
        places: list[Tensor] = []
        for axis, n in enumerate(x.shape[2:]):
            p = torch.arange(n, device=x.device)
            turns = p * (2 * math.pi / n / wavelength[:, axis, None]) + phase[:, axis, None]
            places.append(p + turns.sin_().mul_(severity / 400 * n))
        return stretched(x, places[0], places[1])

    return in_blocks(law, x, *waves)
