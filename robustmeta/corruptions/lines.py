"""Gray straight lines across the image."""

import math

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.strokes import cover, draw
from robustmeta.rng import Rng

GRAY = 128


@corruption(
    family="occlusion",
    tables={
        "32": (0.5, 1, 1.5, 2, 2.5),
    },
    laws={"32": "augmentation-corruption"},
    parity={"32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def lines(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Draws ⌊s·N/10⌋ lines of one pixel, N the shorter side: x ← trunc((1 − w)·x + 128·w), one after the other.

    Their midpoints are uniform in the image, their ends N pixels away, cut to whole pixels. Angles spread uniformly
    around a common one, over 2π times a share that is uniform on (0.1, 1). w = max(0, 1 − d) at distance d.
    """
    height, width = x.shape[2:]
    side = min(height, width)
    count = int(severity * side / 10 + 1e-9)
    common = rng.uniform(2)
    u = rng.uniform(max(side, count), 3)[:, :count].double()  # severities share their first lines
    angle = 2 * math.pi * (common[:, :1] + (0.1 + 0.9 * common[:, 1:]) * (u[..., 2] - 0.5))
    middle = u[..., :2] * u.new_tensor([height, width])
    half = side * torch.stack([angle.cos(), angle.sin()], -1)
    ends = ((middle + sign * half).long().to(x.device) for sign in (-1, 1))

    def law(x: Tensor, start: Tensor, end: Tensor) -> Tensor:
        whole = x.mul(255).add_(1e-3).floor_()
        return draw(whole, *cover(height, width, start, end), GRAY).div_(255)

    return in_blocks(law, x, *ends)
