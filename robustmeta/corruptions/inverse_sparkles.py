"""White all around what a sparkle leaves."""

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.sparkle import RAYS, light
from robustmeta.rng import Rng


@corruption(
    family="occlusion",
    tables={
        "224": (1, 2, 4, 9, 10),
        "32": (1, 1.5, 2.5, 4.5, 5),
    },
    laws={"224": "augmentation-corruption", "32": "augmentation-corruption"},
    parity={"224": "none", "32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def inverse_sparkles(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """1 + w·(x − 1), w = clip((L² / (r² + 10⁻⁴))^(0.13·s) · (1 − (f − ½)²), 0, 1): x near the centre, white outside.

    The centre lies in the middle half of each axis; 50 to 199 rays have length N/4·(1 + z/4), z standard normal, N the
    shorter side. At s = 0 w is between ¾ and 1.
    """
    height, width = x.shape[2:]
    centre = (rng.uniform(2) / 2 + 0.25) * torch.tensor([height, width])
    count = rng.integers(*RAYS, 1)[:, 0]
    length = min(height, width) / 4 * (1 + rng.normal(RAYS[1] - 1) / 4)

    def law(x: Tensor, centre: Tensor, count: Tensor, length: Tensor) -> Tensor:
        kept = light(height, width, centre, count, length, 0.13 * severity)[:, None]
        return 1 - kept * (1 - x)

    return in_blocks(law, x, *(part.to(x.device) for part in (centre, count, length)))
