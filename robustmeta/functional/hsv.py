"""Hue, saturation and value of 8-bit colours (Smith 1978, "Color gamut transform pairs", SIGGRAPH).

A few results in a hundred are whole numbers of 255ths up to rounding, which then decides what is left of them in
8 bits. So float64 is used, in the order of the published programs, and results are cut to 8 bits here, as theirs are.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from robustmeta.functional.parallel import over_rows
from robustmeta.functional.quantise import Bytes, look_up

Doubles = NDArray[np.float64]
Change = Callable[[Doubles, Doubles], tuple[Doubles, Doubles]]

BLOCK = 2**15
"""Pixels worked on at a time: their temporaries stay in a core's cache."""
TINY = float(np.finfo(np.float64).tiny)
UNIT = np.arange(256) / 255
LARGEST, SMALLEST = (0, 1, 1, 2, 2, 0), (2, 2, 0, 0, 1, 1)
"""Which of red, green and blue it is, in each sixth of the circle of hues."""


def _mask(condition: NDArray[np.bool_]) -> Bytes:
    """255 where it holds, 0 elsewhere."""
    return -condition.view(np.uint8)


def _masks(which: tuple[int, ...]) -> list[Bytes]:
    """For red, green and blue: sixth -> mask, as tables of 256."""
    return [np.pad(_mask(np.array(which) == channel), (0, 256 - len(which))) for channel in range(3)]


IS_LARGEST, IS_SMALLEST = _masks(LARGEST), _masks(SMALLEST)


def recolour(images: UInt8[Bytes, "N 3 H W"], change: Change) -> UInt8[Bytes, "N 3 H W"]:
    """Colours with (saturation, value) replaced by ``change(saturation, value)``, cut to 8 bits."""
    given = images.reshape(len(images), 3, -1)
    made = np.empty_like(given)
    pixels = given.shape[2]
    step = max(1, BLOCK // pixels)

    def work(rows: slice) -> None:
        for i in range(rows.start, rows.stop, step):
            for j in range(0, pixels, BLOCK):
                place = slice(i, min(i + step, rows.stop)), slice(None), slice(j, j + BLOCK)
                red, green, blue = given[place].swapaxes(0, 1)
                sixth, saturation, value = to_hsv(red, green, blue)
                made[place] = to_rgb(sixth, *change(saturation, value)).swapaxes(0, 1)

    over_rows(work, len(images))
    return made.reshape(images.shape)


def to_hsv(red: Bytes, green: Bytes, blue: Bytes) -> tuple[Doubles, Doubles, Doubles]:
    """Hue in sixths of the circle, [0, 6), saturation and value in [0, 1]; the hue of gray is 0, like that of red."""
    top = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    # choices between bytes by masks of ones and zeros take a tenth of the time of np.where
    is_blue = _mask(blue == top)
    is_green = _mask(green == top) & ~is_blue
    is_red = ~(is_blue | is_green)
    ahead = (red & is_blue) | (blue & is_green) | (green & is_red)
    behind = (green & is_blue) | (red & is_green) | (blue & is_red)
    start = ((4 & is_blue) | (2 & is_green)) & _mask(top != low)

    value = look_up(top, UNIT)
    spread = value - look_up(low, UNIT)
    hue = look_up(ahead, UNIT)
    hue -= look_up(behind, UNIT)
    hue /= np.maximum(spread, TINY)
    hue += start
    hue /= 6
    hue += hue < 0
    hue *= 6
    spread /= np.maximum(value, TINY)
    return hue, spread, value


def to_rgb(sixth: Doubles, saturation: Doubles, value: Doubles) -> UInt8[Bytes, "3 n P"]:
    """Red, green and blue, cut to 8 bits."""
    sector = np.floor(sixth)
    part = sixth - sector
    sector = sector.astype(np.uint8)
    # the middle one rises through the even sixths and falls through the odd ones
    middle = np.abs(1 - (sector & 1) - part)
    middle *= saturation
    largest, middle, smallest = cut(value), cut(value * (1 - middle)), cut(value * (1 - saturation))
    made = np.empty((3, *sector.shape), np.uint8)
    for channel in range(3):
        top, low = look_up(sector, IS_LARGEST[channel]), look_up(sector, IS_SMALLEST[channel])
        np.bitwise_or((largest & top) | (smallest & low), middle & ~(top | low), out=made[channel])
    return made


def cut(x: Doubles) -> Bytes:
    """[0, 1] to 8 bits, as NumPy casts."""
    return (x * 255).astype(np.uint8)
