"""A grid of pinched and twirled disks."""

import math

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.bilinear import displaced
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.twirl import tiled_shift
from robustmeta.rng import Rng


@corruption(
    family="geometry",
    tables={
        "32": (5.5, 6, 6.5, 8.5, 10),
    },
    laws={"32": "augmentation-corruption"},
    parity={"32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def pinch_and_twirl(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Twirls the disk of every cell by ± s·9° in its middle and pinches it by a power of 0.1 + 0.04·s.

    Cells have a side of ⌊N/3⌋ pixels, ⌊N/5⌋ from N = 224 on, N the shorter side; signs are fair. What is left over at
    the lower and right border stays as it is. Sampling is bilinear on a black ground. At s = 0 it still pinches.
    """
    height, width = x.shape[2:]
    side = min(height, width)
    side //= 5 if side >= 224 else 3
    columns = rng.integers(0, 2, width // side, height // side)
    forward = columns.mT.bool().to(x.device)

    def law(x: Tensor, forward: Tensor) -> Tensor:
        oy, ox = tiled_shift(height, width, side, 0.1 + 0.04 * severity, math.radians(9 * severity), forward)
        return displaced(x, oy, ox)

    return in_blocks(law, x, forward)
