"""A convolution of images of few channels, with a fast way back to the image."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from robustmeta.functional.patches import Side

FEW = 4
"""Channels up to which the way back is faster than torch's, which fills them up to the width of a register."""


def convolve_few(
    x: Float[Tensor, "N C H W"], weight: Float[Tensor, "D C h w"], bias: Tensor | None, stride: Side, padding: Side
) -> Float[Tensor, "N D P Q"]:
    """The conv2d of torch, differentiable in x alone, any number of times; the weights are constants.

    ∂/∂x is a product of matrices, Wᵀ g at each site, whose patches are added up where they lie in the image.
    """
    out: Tensor = _Convolve.apply(x, weight, bias, stride, padding)
    return out


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Side, padding: Side) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.geometry = (x.shape[2:], stride, padding)
        return F.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        (weight,), (size, stride, padding) = ctx.saved_tensors, ctx.geometry
        rows = weight.flatten(1).T @ grads[0].flatten(2)
        slope = F.fold(rows, size, weight.shape[2:], padding=padding, stride=stride)
        return slope, None, None, None, None
