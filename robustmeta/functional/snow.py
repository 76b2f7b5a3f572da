"""Falling snow: flakes out of noise, magnified, thinned out and smeared along their fall."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from robustmeta.functional.luma import luma
from robustmeta.functional.motion import motion_blur


def centre(x: Float[Tensor, "N H W"], zoom: float) -> Float[Tensor, "N h w"]:
    """The middle ⌈H/zoom⌉ x ⌈W/zoom⌉ of each layer."""
    for axis in (1, 2):
        kept = math.ceil(x.shape[axis] / zoom)
        x = x.narrow(axis, (x.shape[axis] - kept) // 2, kept)
    return x


def magnified(x: Float[Tensor, "N h w"], zoom: float) -> Float[Tensor, "N H W"]:
    """Enlarged ``zoom`` ≥ 1 times by linear interpolation, the outermost samples kept."""
    for _ in range(2):  # columns, then rows, each laid out so that whole rows are copied
        x = _stretched(x.mT.contiguous(), round(x.shape[2] * zoom))
    return x


def _stretched(x: Float[Tensor, "N h w"], size: int) -> Float[Tensor, "N size w"]:
    last = x.shape[1] - 1
    if size == last + 1:
        return x
    at = torch.arange(size, dtype=x.dtype, device=x.device) * (last / (size - 1))
    below = at.long().clamp_(max=last - 1)
    return x[:, below].lerp_(x[:, below + 1], (at - below)[:, None])


def flakes(
    noise: Float[Tensor, "N H W"], loc: float, scale: float, zoom: float, threshold: float
) -> Float[Tensor, "N 1 h w"]:
    """N(loc, scale²) magnified by ``zoom`` where it exceeds ``threshold``, cut to [0, 1]; elsewhere 0.

    In float64 up to there: a rounding that moves a sample across the threshold makes a flake or takes it away.
    """
    heights = magnified(centre(noise, zoom).double().mul_(scale).add_(loc), zoom)
    return F.threshold(heights, threshold, 0, inplace=True).float().clamp_(0, 1)[:, None]


def whole_bytes(x: Tensor) -> Tensor:
    """Cut down to the next multiple of 1/255 below."""
    return x.mul(255).floor_().div_(255)


def middle(x: Float[Tensor, "N C H W"], height: int, width: int) -> Float[Tensor, "N C h w"]:
    """The central part."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[..., top : top + height, left : left + width]


def fallen(
    x: Float[Tensor, "N 1 H W"], degrees: Float[Tensor, " N"], radius: int, sigma: float
) -> Float[Tensor, "N 1 H W"]:
    """Smeared by ``motion_blur`` with no tap left out, however small the layer, and rounded to 8 bits."""
    room = max(0, 2 * radius + 1 - min(x.shape[2:]))
    smeared = motion_blur(F.pad(x, (room,) * 4, mode="replicate"), degrees, radius, sigma)
    return middle(smeared, x.shape[2], x.shape[3]).mul(255).round_().div_(255)


def under_snow(x: Float[Tensor, "N C H W"], layer: Float[Tensor, "N 1 H W"], mix: float) -> Float[Tensor, "N C H W"]:
    """The sum mix · x + (1 − mix) · max(x, 1.5 · luma + 0.5) + layer + the layer turned by 180°, cut to [0, 1]."""
    whitened = torch.maximum(x, luma(x).mul(1.5).add_(0.5))
    return whitened.lerp_(x, mix).add_(layer + layer.flip(2, 3)).clamp_(0, 1)
