"""Resampling of 8-bit images, value for value as Pillow does it, but for many planes at once."""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Int, UInt8
from numpy.typing import NDArray
from PIL import Image

from robustmeta.functional.parallel import over_rows
from robustmeta.functional.quantise import Bytes

Indices = NDArray[np.int64]

BLOCK = 2**20
"""Pixels worked on at a time: they stay in a core's cache."""
ONE = 2**22
"""Pillow's weights are whole multiples of 1 / ONE."""


def pixelate(images: UInt8[Bytes, "N C H W"], scale: float) -> UInt8[Bytes, "N C H W"]:
    """Shrunk to ⌊scale · H⌋ x ⌊scale · W⌋ by means over boxes, enlarged by nearest pixels."""
    height, width = images.shape[2:]
    small = max(1, int(height * scale)), max(1, int(width * scale))
    rows, columns = nearest(height, small[0]), nearest(width, small[1])
    given = images.reshape(-1, height, width)
    made = np.empty_like(given)
    step = max(1, BLOCK // (height * width))

    def work(planes: slice) -> None:
        for start in range(planes.start, planes.stop, step):
            block = slice(start, min(start + step, planes.stop))
            wide = _sideways(shrink(given[block], *small), lambda turned: turned.take(columns, 1))
            wide.take(rows, 1, out=made[block])

    over_rows(work, len(given))
    return made.reshape(images.shape)


def shrink(images: UInt8[Bytes, "n H W"], height: int, width: int) -> UInt8[Bytes, "n h w"]:
    """Means over boxes, along the rows and then along the columns, rounded after each.

    The other way round where the height shrinks by more than twice as much as the width, as in Pillow 13.
    """
    if images.shape[1] - height > 2 * (images.shape[2] - width):
        return _sideways(box(images, height), lambda turned: box(turned, width))
    return box(_sideways(images, lambda turned: box(turned, width)), height)


def _sideways(images: UInt8[Bytes, "n H W"], work: Callable[[Bytes], Bytes]) -> UInt8[Bytes, "n H w"]:
    """Work on columns done as work on rows, which is far faster: (1, W, n · H) -> (1, w, n · H), then turned back."""
    turned = work(_turn(images.reshape(-1, images.shape[2]))[None])
    return _turn(turned[0]).reshape(*images.shape[:2], -1)


def _turn(image: UInt8[Bytes, "A B"]) -> UInt8[Bytes, "B A"]:
    turned = np.empty(image.shape[::-1], np.uint8)
    cv2.transpose(image, turned)
    return turned


def box(images: UInt8[Bytes, "n H W"], height: int) -> UInt8[Bytes, "n h W"]:
    """Every column shrunk by means over the pixels of each box, rounded as Pillow rounds them."""
    made = np.empty((len(images), height, images.shape[2]), np.uint8)
    for n, rows, first in _by_number(images.shape[1], height):
        total = images.take(first, 1).astype(np.uint16 if 255 * n < 2**16 else np.int32)
        for i in range(1, n):
            total += images.take(first + i, 1)
        # a tie goes up, unless Pillow's weight is below 1 / n
        bias = np.copysign(0.25 / n, round(ONE / n) * n - ONE)
        mean = np.empty(total.shape, np.uint8)
        cv2.convertScaleAbs(total.reshape(-1, total.shape[2]), mean.reshape(-1, total.shape[2]), 1 / n, bias)
        made[:, rows] = mean
    return made


@lru_cache(maxsize=64)
def _by_number(size: int, small: int) -> list[tuple[int, Indices, Indices]]:
    """The numbers of pixels in a box that occur, with the boxes of that number and their first pixels."""
    first, count = windows(size, small)
    return [(n, np.flatnonzero(count == n), first[count == n]) for n in np.unique(count).tolist()]


def windows(size: int, small: int) -> tuple[Int[Indices, " h"], Int[Indices, " h"]]:
    """The first of ``size`` pixels in each of ``small`` boxes, and their number; they count alike in the box's mean.

    A pixel is in the box that holds its centre. On the border between two boxes rounding decides, so this is Pillow's
    own arithmetic: box i has its centre at c = (i + ½) · r, r = size / small, and pixel j is in it if
    −½ < (j − c + ½) / r ≤ ½, and if ⌊c − r/2 + ½⌋ ≤ j < ⌊c + r/2 + ½⌋.
    """
    ratio = size / small
    centre = (np.arange(small) + 0.5) * ratio
    pixel = np.arange(size)[:, None]
    place = (pixel - centre + 0.5) * (1 / ratio)
    inside = (place > -0.5) & (place <= 0.5)
    inside &= (pixel >= np.floor(centre - ratio / 2 + 0.5)) & (pixel < np.floor(centre + ratio / 2 + 0.5))
    return inside.argmax(0), inside.sum(0)


@lru_cache(maxsize=64)
def nearest(size: int, small: int) -> Int[Indices, " H"]:
    """The pixel of ``small`` that is nearest to each of ``size``, by Pillow itself: its rounding decides on borders."""
    row = Image.fromarray(np.arange(small, dtype=np.int32)[None])
    return np.asarray(row.resize((size, 1), Image.Resampling.NEAREST))[0].astype(np.int64)
