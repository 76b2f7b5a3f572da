"""Things in front of the image."""

import math

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.occlude import box_or_disk_distance, nearest_part, pixel_centres
from robustmeta.rng import Rng

THINGS = 3
RELIEF = 0.25
"""How far a textured thing is lighter and darker than its colour."""


@corruption(
    family="occlusion",
    levels=(0.05, 0.1, 0.2, 0.35, 0.5),
    laws={"levels": "ours"},
    parity={"levels": "none"},
    paper="Ours; rectangles of random colour: Zhong et al. 2020, Random Erasing Data Augmentation",
)
def occlusion(x: Tensor, part: float, rng: Rng) -> Tensor:
    """Three rectangles or ellipses that cover ⌈part · H · W⌉ pixels, in plain colours or with stripes.

    Centres, proportions, turns, colours and stripes are random; all three grow together around their centres until they
    cover enough, so a stronger level covers what a milder one does, in the same way.
    """
    (height, width), channels = x.shape[2:], x.shape[1]
    side = min(height, width)
    centre = rng.uniform(THINGS, 2) * torch.tensor([height, width])
    radius = (rng.uniform(THINGS, 2) * 0.7 + 0.3) * side
    turn = rng.uniform(THINGS, 3)  # of the thing, of its stripes, and where these begin
    disk, striped = (rng.uniform(THINGS, 2) < 0.5).unbind(-1)
    wave = (rng.uniform(THINGS) * 3 + 1) / 16 * side  # stripes of 1/16 to 1/4 of the side
    colour = rng.uniform(channels, THINGS)

    distance = box_or_disk_distance(centre, radius, math.pi * turn[..., 0], disk, (height, width))
    near = distance.min(1)
    thing = near.indices[:, None]

    def of(value: Tensor) -> Tensor:
        """What belongs to the nearest thing of each pixel: from (N, ..., K) to (N, ..., H, W)."""
        picked = thing.expand(-1, value.shape[1], -1, -1).flatten(2)
        return value.gather(2, picked).unflatten(2, (height, width))

    (down, right), angle = pixel_centres(height, width), math.pi * turn[..., 1]
    steps = [(angle.sin() / wave)[:, None], (angle.cos() / wave)[:, None]]  # stripes a pixel
    across = down * of(steps[0]) + right * of(steps[1]) + of(turn[:, None, :, 2])
    relief = RELIEF * (2 * math.pi * across).sin() * of(striped[:, None].float())
    front = (of(colour) + relief).clamp_(0, 1).to(x.device)
    return torch.where(nearest_part(near.values, part)[:, None].to(x.device), front, x)
