"""What moves from frame to frame: the picture, turned, stretched, tilted, alike for all images; and running water."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Matrix = Float[Tensor, "n n"]
Sites = Float[Tensor, "H W"]

ROUNDING = 1e-4
"""More than float32 errs by in a sum of four products, in units of 1/255: what is whole is not cut to one less."""


def turning(degrees: float) -> Matrix:
    """(x, y) -> (x cos a − y sin a, x sin a + y cos a): clockwise as seen, for y points down."""
    a = math.radians(degrees)
    return torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)


def scaling(factor: float) -> Matrix:
    """(x, y) -> (factor · x, factor · y)."""
    return factor * torch.eye(2, dtype=torch.float64)


def shearing(degrees: float) -> Matrix:
    """(x, y) -> (x − y tan a, y)."""
    return torch.tensor([[1, -math.tan(math.radians(degrees))], [0, 1]], dtype=torch.float64)


def moved(x: Float[Tensor, "N C H W"], matrix: Matrix, shift: tuple[float, float] = (0, 0)) -> Float[Tensor, "N C H W"]:
    """The picture after (x, y) -> M (x, y) + shift about its middle, in pixels; what comes in over its edges is black.

    As Pillow does it: bilinear between pixel centres, constant between the outer centres and the edges, cut to 8 bits.
    """
    height, width = x.shape[-2:]
    down, right = _grid(height, width)
    down, right = down + (0.5 - height / 2 - shift[1]), right + (0.5 - width / 2 - shift[0])
    (a, b), (c, d) = torch.linalg.inv(matrix)
    row, column = c * right + d * down + height / 2, a * right + b * down + width / 2
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    cut = bilinear(x, row - 0.5, column - 0.5).mul_(inside.to(x.device))
    return cut.mul_(255).add_(ROUNDING).floor_().div_(255)


def tilted(x: Float[Tensor, "N C H W"], degrees: float) -> Float[Tensor, "N C H W"]:
    """The picture turned out of its plane by an angle about the horizontal and the vertical line through its middle.

    Its point (u, v) from (W/2, H/2) is seen at (f X, f Y) / (Z + f) from there, with (X, Y, Z) = Rₓ R_y (u, v, 1) and
    f = √(W² + H²), in pixel indices. As OpenCV does it: bilinear, black outside, rounded to 8 bits.
    """
    height, width = x.shape[-2:]
    column, row, depth = (_tilt(height, width, degrees).inverse() @ _homogeneous(height, width)).unflatten(
        1, (height, width)
    )
    seen = bilinear(x, row / depth, column / depth, dark=True)
    return seen.mul_(255).round_().div_(255)


def _tilt(height: int, width: int, degrees: float) -> Matrix:
    """From homogeneous pixel indices (column, row, 1) of the picture to those of the view."""
    cos, sin, far = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), math.hypot(width, height)
    about_x = [[1, 0, 0], [0, cos, -sin], [0, sin, cos]]
    about_y = [[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]
    from_middle = [[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]]
    lens = [[far, 0, width / 2], [0, far, height / 2], [0, 0, 1]]
    x, y, middle, view = (torch.tensor(m, dtype=torch.float64) for m in (about_x, about_y, from_middle, lens))
    away = torch.zeros(3, 3, dtype=torch.float64)
    away[2, 2] = far
    return view @ (x @ y @ middle + away)


def _grid(height: int, width: int) -> tuple[Sites, Sites]:
    """The row and the column of every pixel."""
    sides = (torch.arange(n, dtype=torch.float64) for n in (height, width))
    row, column = torch.meshgrid(*sides, indexing="ij")
    return row, column


def _homogeneous(height: int, width: int) -> Float[Tensor, "3 HW"]:
    row, column = _grid(height, width)
    return torch.stack([column.flatten(), row.flatten(), torch.ones(height * width, dtype=torch.float64)])


def bilinear(x: Float[Tensor, "N C H W"], row: Sites, column: Sites, *, dark: bool = False) -> Float[Tensor, "N C H W"]:
    """All images at the same real rows and columns, between four pixels each; those outside are the nearest inside.

    ``dark``: those outside are 0 instead. The weights are formed in float64, so at whole pixels the result is exact.
    """
    height, width = x.shape[-2:]
    flat, out = x.flatten(2), torch.zeros_like(x).flatten(2)
    top, left = row.floor(), column.floor()
    for down in (0, 1):
        for right in (0, 1):
            r, c = top + down, left + right
            weight = (1 - (row - r).abs()) * (1 - (column - c).abs())
            if dark:
                weight = weight * ((r >= 0) & (r < height) & (c >= 0) & (c < width))
            at = (r.clamp(0, height - 1) * width + c.clamp(0, width - 1)).long().flatten().to(x.device)
            out.addcmul_(flat.gather(2, at.expand_as(flat)), weight.flatten().to(x))
    return out.view(x.shape)


def run_down(field: Float[Tensor, "N H W"], weights: tuple[float, ...]) -> Float[Tensor, "N H W"]:
    """f(y) <- Σ_k w_k · f(y + ⌊(K − 1) / 2⌋ − k) along every column, 0 outside: weights late in the list pull down."""
    last, height = len(weights) - 1, field.shape[1]
    padded = F.pad(field, (0, 0, last - last // 2, last // 2))
    out = torch.zeros_like(field)
    for k, weight in enumerate(weights):
        out.add_(padded[:, last - k : last - k + height], alpha=weight)
    return out
