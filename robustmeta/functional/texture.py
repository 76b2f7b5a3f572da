"""Random parts of given pictures."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.rng import Rng

MARGIN = 1.1
"""A picture is at least so many times as high and wide as the part."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of frost, RGB, (H, W, 3)."""

    pixels: Pixels


@lru_cache(maxsize=24)
def scaled(picture: Picture, factor: float) -> Pixels:
    """The picture as (3, h, w), magnified cubically, or made smaller by linear interpolation without a filter."""
    if factor > 1:
        height, width = (int(np.ceil(side * factor)) for side in picture.pixels.shape[:2])
        made = cv2.resize(picture.pixels, (width, height), interpolation=cv2.INTER_CUBIC)
    else:
        made = cv2.resize(picture.pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    return np.moveaxis(made, -1, 0).astype(np.uint8, order="C")


def crops(pictures: tuple[Picture, ...], factor: float, size: tuple[int, int], rng: Rng) -> UInt8[Tensor, "N 3 H W"]:
    """A part of one of the pictures for each key, uint8 (N, 3, *size); too small a picture is magnified more."""
    height, width = size
    chosen = rng.integers(0, len(pictures), 1)[:, 0].tolist()
    out = np.empty((len(chosen), 3, height, width), np.uint8)
    for part, i, (down, right) in zip(out, chosen, rng.uniform(2).tolist(), strict=True):
        rows, columns = pictures[i].pixels.shape[:2]
        whole = scaled(pictures[i], max(factor, MARGIN * max(height / rows, width / columns)))
        top, left = int(down * (whole.shape[1] - height)), int(right * (whole.shape[2] - width))
        part[:] = whole[:, top : top + height, left : left + width]
    return torch.from_numpy(out)
