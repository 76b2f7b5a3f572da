"""What a law that was called must have given back."""

import math

import torch

from robustmeta.core import CellError, Images

SLACK = 1e-6
"""By so much values may leave [0, 1], from rounding."""


def check_images(x: Images, y: object, what: str) -> Images:
    """The images that a law made of x; ``what`` begins the message, such as "corruption fog returned".

    Raises:
        CellError: they are no tensor of the shape of x, or hold NaN, infinities or values outside [0, 1].
    """
    if not isinstance(y, torch.Tensor) or y.shape != x.shape:
        got = tuple(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        raise CellError(f"{what} {got}; expected a tensor of shape {tuple(x.shape)}")
    if y.numel() == 0:
        return y
    low, high = (float(v) for v in torch.aminmax(y))  # both are NaN where an entry is
    if not (math.isfinite(low) and math.isfinite(high)):
        raise CellError(f"{what} NaN or infinite values; return values in [0, 1]")
    if low < -SLACK or high > 1 + SLACK:
        raise CellError(f"{what} values in [{low:.3g}, {high:.3g}]; clamp them to [0, 1]")
    return y
