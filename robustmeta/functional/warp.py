"""Smooth random fields, affine maps and the ink of a distance field, batched over images."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def cosine_field(c: Float[Tensor, "*batch K K"], size: int) -> Float[Tensor, "*batch S S"]:
    """u(y, x) = Σᵢⱼ cᵢⱼ cos(πiy) cos(πjx) at the pixel centres of the unit square: the same field at every size."""
    at = (torch.arange(size, dtype=c.dtype) + 0.5) / size
    basis = torch.cos(math.pi * at[:, None] * torch.arange(c.shape[-1], dtype=c.dtype))  # (S, K)
    return basis @ c @ basis.T


def affine(
    angle: Float[Tensor, " N"],
    scale: Float[Tensor, "N 2"],
    shear: Float[Tensor, " N"],
    shift: Float[Tensor, "N 2"],
) -> Float[Tensor, "N 2 3"]:
    """The map from output to input coordinates of a picture that is sheared, scaled, rotated and then moved.

    x' = R(angle) · diag(scale) · [[1, shear], [0, 1]] · x + shift, inverted; angle in radians, coordinates (x, y) in
    [-1, 1], so that a shift of 2 moves by the width of the picture.
    """
    cos, sin = angle.cos(), angle.sin()
    rotation = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    skew = torch.eye(2).repeat(len(angle), 1, 1)
    skew[:, 0, 1] = shear
    inverse = torch.linalg.inv((rotation * scale[:, None, :]) @ skew)
    return torch.cat([inverse, -inverse @ shift[..., None]], -1)


def warp(
    images: Float[Tensor, "N C G G"], theta: Float[Tensor, "N 2 3"], offset: Float[Tensor, "N 2 S S"], pad: float
) -> Float[Tensor, "N C S S"]:
    """Sample images bilinearly at theta · x + offset(x), coordinates (x, y) in [-1, 1]; outside there is ``pad``."""
    size = [len(images), images.shape[1], *offset.shape[-2:]]
    grid = F.affine_grid(theta, size, align_corners=False) + offset.movedim(1, -1)
    return F.grid_sample(images - pad, grid, align_corners=False) + pad


def ink(distance: Float[Tensor, "N 1 S S"], scale: Float[Tensor, " N"], factor: int) -> Float[Tensor, "N 1 s s"]:
    """Coverage of pixels by the set where ``distance`` > 0, averaged over blocks of ``factor`` x ``factor`` samples.

    ``distance`` is signed, positive inside, in units of the field; ``scale`` turns it into sample widths.
    """
    cover = (0.5 + distance * scale[:, None, None, None]).clamp_(0, 1)
    return F.avg_pool2d(cover, factor) if factor > 1 else cover
