"""Changes of the values of images, place by place."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from robustmeta.functional.hsv import UNIT, cut, recolour
from robustmeta.functional.quantise import Bytes, look_up, through_bytes

Images = Float[Tensor, "N C H W"]


def contrast(x: Images, c: float) -> Images:
    """μ + c · (x − μ), cut to [0, 1]; μ is the mean of each channel of each image."""
    mean = x.mean((-2, -1), keepdim=True, dtype=torch.float64)  # in float32 it would depend on how threads share it
    return (c * x).add_(((1 - c) * mean).to(x.dtype)).clamp_(0, 1)


def brightness(x: Images, c: float) -> Images:
    """The HSV value V + c, cut to [0, 1], on 8-bit images: x is rounded, y is cut. The V of gray is its brightness."""
    return through_bytes(x, lambda k: brighter(k, c))


def brighter(k: UInt8[Bytes, "N C H W"], c: float) -> UInt8[Bytes, "N C H W"]:
    """``brightness`` of images as bytes."""
    if k.shape[1] == 3:
        return recolour(k, lambda saturation, value: (saturation, np.clip(value + c, 0, 1)))
    return look_up(k.reshape(-1, k.shape[3]), cut(np.clip(UNIT + c, 0, 1))).reshape(k.shape)


def saturate(x: Images, a: float, b: float) -> Images:
    """The HSV saturation a · S + b, cut to [0, 1], on 8-bit images: x is rounded, y is cut.

    Grays among the colours have S = 0 at the hue of red, so b > 0 tints them. An image of one channel stays as it is:
    the red channel of its tinted copy.
    """
    return x.clone() if x.shape[1] != 3 else through_bytes(x, lambda k: saturated(k, (a, b)))


def saturated(k: UInt8[Bytes, "N C H W"], level: tuple[float, float]) -> UInt8[Bytes, "N C H W"]:
    """``saturate`` of images as bytes; ``level`` is (a, b)."""
    a, b = level
    if k.shape[1] != 3:
        return k.copy()
    return recolour(k, lambda saturation, value: (np.clip(a * saturation + b, 0, 1), value))
