"""Images as matrices of patches, and back."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Side = tuple[int, int]
"""Along the height and along the width."""


def patches(
    x: Float[Tensor, "T N C H W"], kernel: Side, stride: Side, padding: Side
) -> tuple[Float[Tensor, "T M K"], Side]:
    """The patch under a kernel at each of M = N · P · Q sites, as K = h · w · C numbers, and (P, Q).

    Around an image are zeros. Differentiable any number of times. Fastest where the channels come last in memory.
    """
    sizes = zip(x.shape[3:], kernel, stride, padding, strict=True)
    down, right = ((length + 2 * p - k) // s + 1 for length, k, s, p in sizes)
    return _Unfold.apply(x, kernel, stride, padding), (down, right)


class _Unfold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Side, stride: Side, padding: Side) -> Tensor:
        ctx.geometry = (x.shape, kernel, stride, padding)
        margins = (0, 0, padding[1], padding[1], padding[0], padding[0])
        rows = F.pad(x.permute(0, 1, 3, 4, 2), margins).contiguous()
        tasks, images, height, width, channels = rows.shape
        down, right = (height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1
        line = width * channels
        windows = rows.as_strided(  # within a window, each line of the kernel is one run of memory
            (tasks, images, down, right, kernel[0], kernel[1] * channels),
            (images * height * line, height * line, stride[0] * line, stride[1] * channels, line, 1),
        )
        return windows.reshape(tasks, images * down * right, -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return _Fold.apply(grads[0], *ctx.geometry), None, None, None


class _Fold(torch.autograd.Function):
    """The adjoint of ``_Unfold``: patches added up where they lie in images (T, N, C, H, W)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, shape: torch.Size, kernel: Side, stride: Side, padding: Side) -> Tensor:
        ctx.geometry = (kernel, stride, padding)
        tasks, images, channels, height, width = shape
        out = rows.new_empty(tasks, images, height + 2 * padding[0], width + 2 * padding[1], channels)
        down, right = (out.shape[2] - kernel[0]) // stride[0] + 1, (out.shape[3] - kernel[1]) // stride[1] + 1
        parts = rows.reshape(tasks, images, down, right, *kernel, channels)
        tiled = kernel[0] >= stride[0] and kernel[1] >= stride[1]
        if tiled:  # the patches' corners of stride size cover all but the lower and right ends: these need no zeros
            out[:, :, down * stride[0] :] = 0
            out[:, :, :, right * stride[1] :] = 0
        else:
            out.zero_()
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                ends = (i + (down - 1) * stride[0] + 1, j + (right - 1) * stride[1] + 1)
                place = out[:, :, i : ends[0] : stride[0], j : ends[1] : stride[1]]
                if tiled and i < stride[0] and j < stride[1]:
                    place.copy_(parts[..., i, j, :])
                else:
                    place += parts[..., i, j, :]
        inside = out[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width]
        return inside.permute(0, 1, 4, 2, 3)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return _Unfold.apply(grads[0], *ctx.geometry), None, None, None, None
