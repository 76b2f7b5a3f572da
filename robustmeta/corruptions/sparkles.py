"""Five bright sparkles."""

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.sparkle import RAYS, light
from robustmeta.rng import Rng

SPARKLES = 5


@corruption(
    family="occlusion",
    tables={
        "224": (1, 2, 3, 5, 6),
        "32": (0.7, 3.5, 5.6, 6.3, 7),
    },
    laws={"224": "augmentation-corruption", "32": "augmentation-corruption"},
    parity={"224": "none", "32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def sparkles(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """1 − (1 − x)·Π_j (1 − w_j), w_j the light of five sparkles anywhere in the image, s > 0.

    Each has 50 to 199 rays of length max(1, s·N/100·(1 + z/4)) pixels, z standard normal, N the shorter side: at small
    sizes and severities the floor of a pixel rules. The light falls as 1/r², so that it whitens the whole image.
    """
    height, width = x.shape[2:]
    centre = rng.uniform(SPARKLES, 2) * torch.tensor([height, width])
    count = rng.integers(*RAYS, SPARKLES)
    reach = severity * min(height, width) / 100
    length = (reach * (1 + rng.normal(SPARKLES, RAYS[1] - 1) / 4)).clamp_(min=1)

    def law(x: Tensor, centre: Tensor, count: Tensor, length: Tensor) -> Tensor:
        dark = 1 - x
        for j in range(SPARKLES):
            dark *= (1 - light(height, width, centre[:, j], count[:, j], length[:, j], 1))[:, None]
        return 1 - dark

    return in_blocks(law, x, *(part.to(x.device) for part in (centre, count, length)))
