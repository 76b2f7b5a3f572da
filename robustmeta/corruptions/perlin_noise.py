"""Light clouds of gradient noise."""

from torch import Tensor
from torch.nn.functional import normalize

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.perlin import PERIOD, absolute_octaves
from robustmeta.rng import Rng

CELLS = 7
"""Cells of the first octave along the shorter side."""


@corruption(
    family="noise",
    tables={
        "224": (4.6, 5.2, 5.8, 7.6, 8.8),
    },
    laws={"224": "augmentation-corruption"},
    parity={"224": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def perlin_noise(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """(1 − a)·x + a·n, a = s/20, n = clip(½ + ½·Σ_f |P(7·f·p/N)| / f, 0, 1), f = 1, 2, 4, 8, 16; N the shorter side.

    As published n ≥ ½, so that images become lighter; gradients are whole numbers of a square, normalised, which lean
    to the diagonals. With small images the last octaves have less than a pixel a cell and are noise.
    """
    height, width = x.shape[2:]
    gradient = normalize(rng.integers(-PERIOD, PERIOD, PERIOD, 2).float(), dim=-1).to(x.device)  # 0 stays 0
    permutation = rng.permutation(PERIOD).to(x.device)
    cell, share = min(height, width) / CELLS, severity / 20

    def law(x: Tensor, permutation: Tensor, gradient: Tensor) -> Tensor:
        octaves = absolute_octaves(height, width, cell, permutation, gradient)
        noise = octaves.add_(1).mul_(0.5).clamp_(max=1)
        return (x * (1 - share)).add_(noise.mul_(share)[:, None]).clamp_(0, 1)

    return in_blocks(law, x, permutation, gradient)
