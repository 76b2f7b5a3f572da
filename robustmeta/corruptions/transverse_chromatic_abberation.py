"""Colours focused at different magnifications."""

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.spline import zoom
from robustmeta.rng import Rng


@corruption(
    family="digital",
    tables={
        "32": (1, 2, 5, 9, 10),
    },
    laws={"32": "augmentation-corruption"},
    parity={"32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def transverse_chromatic_abberation(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Zooms the channels by 1, 1 + 0.025·s and 1 + 0.05·s, in random order, and rounds to bytes, halves up.

    As published the cubic spline takes pixels as its coefficients: every channel is smoothed, by [1, 4, 1]/6 along each
    axis where it is not zoomed. A gray image is the mean of its three zooms.
    """
    zooms = [1 + 0.025 * severity * k for k in range(3)]

    def law(x: Tensor, order: Tensor) -> Tensor:
        if x.shape[1] == 1:
            out = sum((zoom(x, z) for z in zooms), torch.zeros_like(x)).div_(3)
        else:
            out = torch.empty_like(x)
            for k, z in enumerate(zooms):
                out[order == k] = zoom(x[order == k], z)
        return out.mul_(255).add_(0.5 + 1e-4).floor_().clamp_(0, 255).div_(255)  # halves, which are frequent, go up

    return in_blocks(law, x, rng.permutation(3).to(x.device))
