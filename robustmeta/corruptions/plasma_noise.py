"""Turbulent bands of colour."""

import math

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.waves import flow_colours, turbulence
from robustmeta.rng import Rng


@corruption(
    family="noise",
    tables={
        "224": (4.75, 7, 8.5, 9.25, 10),
    },
    laws={"224": "augmentation-corruption"},
    parity={"224": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def plasma_noise(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """(1 − a)·x + a·(R, G, B), a = 6.4·s/255, with colours in [−1, 1]; cut to [0, 1]. The mean darkens to 1 − a of it.

    The colours are sines of coordinates stirred by 4 to 6 whirls, in units of U(0.075, 0.2)·N pixels, N the shorter
    side. A gray image is blended with G, which depends on both coordinates and weighs most in luma.
    """
    u, steps = rng.uniform(3).to(x.device), rng.integers(4, 7, 1).to(x.device)[:, 0]
    height, width = x.shape[2:]
    share = 6.4 * severity / 255

    def law(x: Tensor, time: Tensor, roughness: Tensor, scale: Tensor, steps: Tensor) -> Tensor:
        flow = turbulence(height, width, scale, time, roughness, steps)
        colours = flow_colours(*flow, time)
        colours = colours[:, 1:2] if x.shape[1] == 1 else colours
        return colours.mul_(share).add_(x * (1 - share)).clamp_(0, 1)

    scale = (0.075 + 0.125 * u[:, 2]) * min(height, width)
    return in_blocks(law, x, 6 * math.pi * u[:, 0], 0.5 + 0.5 * u[:, 1], scale, steps)
