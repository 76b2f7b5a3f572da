"""Things in front of images, and images with less detail."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def pixel_centres(height: int, width: int) -> tuple[Float[Tensor, "H 1"], Float[Tensor, " W"]]:
    """Rows and columns of the pixel centres, in pixels from the upper left corner."""
    return (torch.arange(height) + 0.5)[:, None], torch.arange(width) + 0.5


def nearest_part(distance: Float[Tensor, "N H W"], part: float) -> Bool[Tensor, "N H W"]:
    """Where the distance is among the ⌈part · H · W⌉ smallest of its image; a larger part holds a smaller one."""
    flat = distance.flatten(1)
    count = max(1, math.ceil(part * flat.shape[1] - 1e-6))  # forgives the rounding of products such as 0.07 · 100
    return distance <= flat.kthvalue(count, dim=1).values[:, None, None]


def square(
    row: Int[Tensor, " N"], column: Int[Tensor, " N"], half: int, size: tuple[int, int]
) -> Bool[Tensor, "N H W"]:
    """Squares of 2·half x 2·half pixels, from ``half`` before the given pixel to just before ``half`` after it."""

    def side(length: int, middle: Tensor) -> Tensor:
        step = torch.arange(length) - middle[:, None]
        return (step >= -half) & (step < half)

    return side(size[0], row)[:, :, None] & side(size[1], column)[:, None, :]


def box_or_disk_distance(
    centre: Float[Tensor, "N K 2"],
    radius: Float[Tensor, "N K 2"],
    angle: Float[Tensor, "N K"],
    disk: Bool[Tensor, "N K"],
    size: tuple[int, int],
) -> Float[Tensor, "N K H W"]:
    """How many times a shape must grow around its centre to reach a pixel: 1 on its rim.

    A shape is a rectangle or an ellipse of half axes ``radius`` (along, across), turned by ``angle``; pixels, radians.
    """
    y, x = pixel_centres(*size)
    wide = (..., None, None)
    down, right = y - centre[..., 0][wide], x - centre[..., 1][wide]
    cos, sin = angle.cos()[wide], angle.sin()[wide]
    along = (right * cos + down * sin) / radius[..., 0][wide]
    across = (down * cos - right * sin) / radius[..., 1][wide]
    box = torch.maximum(along.abs(), across.abs())
    return box.where(~disk[wide], (along.square() + across.square()).sqrt_())


def low_resolution(x: Float[Tensor, "N C H W"], factor: float) -> Float[Tensor, "N C H W"]:
    """Averaged onto a grid ``factor`` times as coarse (a triangle filter of that width), then interpolated linearly."""
    small = [max(1, round(side / factor)) for side in x.shape[-2:]]
    down = F.interpolate(x, small, mode="bilinear", antialias=True)
    return F.interpolate(down, x.shape[-2:], mode="bilinear").clamp_(0, 1)
