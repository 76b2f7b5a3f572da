"""Some cells of a turned checkerboard, gray."""

import math

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.checkerboard import taken
from robustmeta.rng import Rng

GRAY = 128 / 255
SMALLEST = 0.1
"""Side of the smallest cells, in parts of the image's shorter side."""


@corruption(
    family="occlusion",
    tables={
        "224": (2, 3, 4, 5, 6),
        "32": (1, 2, 3, 4, 5),
    },
    laws={"224": "augmentation-corruption", "32": "augmentation-corruption"},
    parity={"224": "none", "32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def checkerboard_cutout(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Grays each even cell of a checkerboard with probability s/10, so s/20 of the image on average.

    The board is turned by a uniform angle around the upper left pixel; its cells have a side of max(1, U(0.1, 0.25)·N)
    pixels, N the shorter side.
    """
    height, width = x.shape[2:]
    short, long = sorted((height, width))
    side = math.ceil(math.sqrt(2) * long / (SMALLEST * short)) + 1  # no two cells of an image share an entry
    u = rng.uniform(2).to(x.device)
    table = (rng.uniform(side, side) < severity / 10).to(x.device)

    def law(x: Tensor, turn: Tensor, cell: Tensor, table: Tensor) -> Tensor:
        return x.masked_fill(taken(height, width, turn, cell, table)[:, None], GRAY)

    cell = ((SMALLEST + 0.15 * u[:, 1]) * short).clamp(min=1)
    return in_blocks(law, x, 2 * math.pi * u[:, 0], cell, table)
