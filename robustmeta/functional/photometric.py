"""Changes of the values of images, place by place."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from robustmeta.functional.hsv import UNIT, cut, recolour
from robustmeta.functional.quantise import from_bytes, look_up, nearest_bytes

Images = Float[Tensor, "N C H W"]


def contrast(x: Images, c: float) -> Images:
    """μ + c · (x − μ), cut to [0, 1]; μ is the mean of each channel of each image."""
    mean = x.mean((-2, -1), keepdim=True, dtype=torch.float64)  # in float32 it would depend on how threads share it
    return (c * x).add_(((1 - c) * mean).to(x.dtype)).clamp_(0, 1)


def brightness(x: Images, c: float) -> Images:
    """The HSV value V + c, cut to [0, 1], on 8-bit images: x is rounded, y is cut. The V of gray is its brightness."""
    if x.shape[1] == 3:
        return recolour(x, lambda saturation, value: (saturation, np.clip(value + c, 0, 1)))
    shifted = cut(np.clip(UNIT + c, 0, 1))
    return from_bytes(look_up(nearest_bytes(x).reshape(-1, x.shape[3]), shifted).reshape(x.shape), x)


def saturate(x: Images, a: float, b: float) -> Images:
    """The HSV saturation a · S + b, cut to [0, 1], on 8-bit images: x is rounded, y is cut.

    Grays among the colours have S = 0 at the hue of red, so b > 0 tints them. An image of one channel stays as it is:
    the red channel of its tinted copy.
    """
    if x.shape[1] != 3:
        return x.clone()
    return recolour(x, lambda saturation, value: (np.clip(a * saturation + b, 0, 1), value))
