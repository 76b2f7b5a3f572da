"""Images that are moved smoothly: by a random affine map, and by a random field."""

import cv2
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from robustmeta.functional.blur import smooth

REACH = 3.0
"""Standard deviations after which the Gaussian that smooths a field is cut off."""


def field(noise: Float[Tensor, "N H W"], part: float) -> Float[Tensor, "N H W"]:
    """Noise smoothed by a Gaussian of σ = ``part`` of each side, mirrored at the border."""
    height, width = noise.shape[1:]
    return smooth(noise, (part * height, part * width), REACH, cv2.BORDER_REFLECT)


def displaced(
    x: Float[Tensor, "N C H W"], right: Float[Tensor, "N H W"], down: Float[Tensor, "N H W"]
) -> Float[Tensor, "N C H W"]:
    """y(p) = x(p + (down, right)(p)), bilinear; the image is mirrored at the outer edges of its outer pixels."""
    height, width = x.shape[-2:]
    rows, columns = ((2 * torch.arange(n, device=x.device, dtype=x.dtype) + 1) / n - 1 for n in (height, width))
    grid = torch.stack([right * (2 / width) + columns, down * (2 / height) + rows[:, None]], -1)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def tilted(x: Float[Tensor, "N C H W"], moves: Float[Tensor, "N 3 2"]) -> Float[Tensor, "N C H W"]:
    """The image under the affine map that moves three points by ``moves``, each (x, y) in pixels.

    The points are m + (q, q), m + (q, −q) and m − (q, q), with m half of each side and q a third of the shorter,
    rounded down (Hendrycks and Dietterich 2019). Bilinear; the image is mirrored at the centres of its outer pixels.
    """
    height, width = x.shape[-2:]
    middle, q = (width // 2, height // 2), min(height, width) // 3
    a, b, c = moves.double().unbind(1)
    unit = torch.eye(2, dtype=a.dtype, device=x.device)
    across, along = unit[0] + (b - c) / (2 * q), unit[1] + (a - b) / (2 * q)  # where (1, 0) and (0, 1) go
    origin = c + sum((n - q) * (e - to) for n, e, to in zip(middle, unit, (across, along), strict=True))
    (ax, ay), (bx, by), (ox, oy) = (v[..., None, None].unbind(1) for v in (across, along, origin))
    determinant = ax * by - ay * bx
    scale = torch.where(determinant == 0, 0, 1 / determinant)  # no inverse: the corner everywhere, as OpenCV has it
    dx = torch.arange(width, device=x.device) - ox
    dy = torch.arange(height, device=x.device)[:, None] - oy
    column, row = (by * dx - bx * dy) * scale, (ax * dy - ay * dx) * scale
    grid = torch.stack([column * (2 / (width - 1)), row * (2 / (height - 1))], -1).sub_(1).to(x.dtype)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)
