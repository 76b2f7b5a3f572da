"""Splashes of liquid: where they lie, and how strongly they show."""

import cv2
import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.functional.blur import each_plane, smooth

NEAR = 20.0
"""Pixels from an edge beyond which water is alike."""
EMBOSS = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
SOLID = 0.8
"""Mud that covers less than this is left out."""


def liquid(
    noise: Float[Tensor, "N H W"], loc: float, scale: float, sigma: float, threshold: float
) -> Float[Tensor, "N H W"]:
    """N(loc, scale²) smoothed by a Gaussian of σ pixels where that exceeds ``threshold``, else 0.

    In float64: a rounding that moves a pixel across the threshold moves the edges that water is drawn from.
    """
    return F.threshold(smooth(noise.double().mul_(scale).add_(loc), sigma), threshold, 0, inplace=True)


def water(field: Float[Tensor, "N H W"], strength: float) -> Float[Tensor, "N H W"]:
    """How much water shows, 0 to ``strength``: the embossed distance to the liquid's edges, times the liquid.

    Filters mirror the picture at its outermost pixels; every step but the last is stored in 8 bits, as published.
    Where nothing is liquid the result is 0 (the published law divides 0 by 0).
    """

    def shine(given: NDArray[np.float64], made: NDArray[np.float64]) -> None:
        drops = (given * 255).astype(np.uint8)
        distance = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
        relief = cv2.blur(np.minimum(distance, NEAR), (3, 3)).astype(np.uint8)
        relief = cv2.filter2D(cv2.equalizeHist(relief), cv2.CV_8U, EMBOSS)
        np.multiply(drops, cv2.blur(relief, (3, 3)), out=made, dtype=np.float64)
        made *= strength / (made.max() or 1)

    return each_plane(field, shine).float()


def mud(field: Float[Tensor, "N H W"], sigma: float) -> Float[Tensor, "N H W"]:
    """How much mud covers, 0 or 0.8 to 1: where there is liquid, its rim softened by a Gaussian of σ pixels."""
    return F.threshold(smooth((field > 0).double(), sigma), SOLID, 0, inplace=True).float()
