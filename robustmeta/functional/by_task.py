"""What vmap over tasks does with a convolution and with batch normalisation where each task has weights of its own.

Its general rules make a convolution a grouped one, and differentiate normalisation twice through some twenty passes
over memory; on a CPU both are slow. Within ``by_task`` a convolution is a product of matrices of patches, and so are
all its derivatives; normalisation has its second derivative written out. The numbers are the same to rounding.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from robustmeta.functional.layout import channels_last
from robustmeta.functional.patches import Side, patches

_BY_TASK: ContextVar[bool] = ContextVar("by task", default=False)


@contextmanager
def by_task() -> Generator[None]:
    """Within it ``convolve`` and ``batch_norm`` stand in a function that vmap maps over tasks."""
    token = _BY_TASK.set(True)
    try:
        yield
    finally:
        _BY_TASK.reset(token)


def convolve(
    x: Float[Tensor, "N C H W"], weight: Float[Tensor, "D C h w"], bias: Tensor | None, stride: Side, padding: Side
) -> Float[Tensor, "N D P Q"]:
    """The conv2d of torch, in the layout of ``channels_last``."""
    if not _BY_TASK.get():
        return F.conv2d(x, channels_last(weight), bias, stride, padding)
    out: Tensor = _Convolve.apply(x, weight, stride, padding)
    return out if bias is None else out + bias[:, None, None]


def batch_norm(x: Float[Tensor, "N C H W"], weight: Tensor, bias: Tensor, eps: float) -> Float[Tensor, "N C H W"]:
    """Normalise each channel (C,) with its own mean and variance over images and sites."""
    if not _BY_TASK.get():
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    return _BatchNorm.apply(x, weight, bias, eps)


def relu_(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """max(x, 0), in x's own memory where that is fast: over tasks x is a view, whose memory autograd would copy."""
    return F.relu(x) if _BY_TASK.get() else F.relu_(x)


def convolve_tasks(
    x: Float[Tensor, "T N C H W"], weight: Float[Tensor, "T D C h w"], stride: Side, padding: Side
) -> Float[Tensor, "T N D P Q"]:
    """conv2d of each task's images with the task's weights; in memory the channels come last."""
    kernel = (weight.shape[3], weight.shape[4])
    rows, sites = patches(x, kernel, stride, padding)
    out: Tensor = _Product.apply(rows, weight.permute(0, 1, 3, 4, 2).flatten(2))
    return out.view(*x.shape[:2], *sites, -1).permute(0, 1, 4, 2, 3)


def batch_norm_tasks(
    x: Float[Tensor, "T N C H W"], weight: Float[Tensor, "T C"], bias: Float[Tensor, "T C"], eps: float
) -> Float[Tensor, "T N C H W"]:
    """The map y = γ x̂ + β with x̂ = (x − μ) r, r = 1 / √(σ² + ε), over each task's images; differentiable twice."""
    rows = x.permute(0, 1, 3, 4, 2)
    out: Tensor = _Normalise.apply(rows.flatten(1, 3), weight, bias, eps)
    return out.view(rows.shape).permute(0, 1, 4, 2, 3)


def _leading(values: Sequence[Tensor], dims: Sequence[int | None], tasks: int) -> list[Tensor]:
    """Tensors whose first dimension is the task."""
    return [v.expand(tasks, *v.shape) if d is None else v.movedim(d, 0) for v, d in zip(values, dims, strict=True)]


class _Convolve(torch.autograd.Function):
    """Only its rule for vmap is ever used: ``by_task`` stands within vmap."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, stride: Side, padding: Side) -> Tensor:
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        x, weight, stride, padding = args
        (x,) = _leading([x], in_dims[:1], info.batch_size)
        if in_dims[1] is None:
            return F.conv2d(x.flatten(0, 1), channels_last(weight), None, stride, padding).unflatten(0, x.shape[:2]), 0
        return convolve_tasks(x, weight.movedim(in_dims[1], 0), stride, padding), 0


class _BatchNorm(torch.autograd.Function):
    """As above."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        x, weight, bias = _leading(args[:3], in_dims[:3], info.batch_size)
        return batch_norm_tasks(x, weight, bias, args[3]), 0


class _Product(torch.autograd.Function):
    """a (T, M, K), b (T, D, K) -> a bᵀ; as bmm, but gradients lie in memory as what they are of."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return torch.bmm(a, b.mT)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        a, b = ctx.saved_tensors
        if not ctx.needs_input_grad[0]:
            return None, _Product.apply(grads[0].mT, a.mT)
        return _ProductSlope.apply(grads[0], a, b)


class _ProductSlope(torch.autograd.Function):
    """g (T, M, D) -> its products g b with b, and gᵀ a with a."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(g, a, b)
        return torch.bmm(g, b), torch.bmm(g.mT, a)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        u, v = grads
        g, a, b = ctx.saved_tensors
        return torch.baddbmm(torch.bmm(a, v.mT), u, b.mT), torch.bmm(g, v), torch.bmm(g.mT, u)


def _mean(a: Tensor, b: Tensor) -> Tensor:
    """The mean of a · b over M of (T, M, C)."""
    return torch.linalg.vecdot(a, b, dim=1) / a.shape[1]


def _combined(plus: Tensor, *terms: tuple[Tensor, Tensor]) -> Tensor:
    """The sum plus (T, C) + Σ aᵢ (T, M, C) · bᵢ (T, C)."""
    (a, b), *rest = terms
    out = torch.addcmul(plus[:, None], a, b[:, None])
    for c, d in rest:
        out.addcmul_(c, d[:, None])
    return out


class _Normalise(torch.autograd.Function):
    """x (T, M, C), γ and β (T, C) -> γ x̂ + β."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        r = torch.rsqrt(_mean(centred, centred) + eps)
        ctx.save_for_backward(x, weight, centred, r)
        return _combined(bias, (centred, weight * r))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return (*_Slope.apply(grads[0], *ctx.saved_tensors), None)


class _Slope(torch.autograd.Function):
    """g -> the gradients by x, γ and β: γ r (g − ḡ − x̂ q), M q and M ḡ, where q is the mean of g x̂ (T, C).

    x̂ is not stored: it is r times ``centred``, x − μ.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, weight: Tensor, centred: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        mean, q, s = g.mean(1), r * _mean(g, centred), weight * r
        ctx.save_for_backward(g, weight, centred, r, mean, q)
        return _combined(-s * mean, (g, s), (centred, -s * r * q)), q * g.shape[1], mean * g.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        """The gradients by g, x and γ from a, b and c, those by the three results."""
        a, b, c = grads
        g, weight, centred, r, g_mean, q = ctx.saved_tensors
        s, a_mean, p = weight * r, a.mean(1), r * _mean(a, centred)
        both, slope = _mean(a, g) - a_mean * g_mean - p * q, b - s * p
        by_g = _combined(c - s * a_mean, (a, s), (centred, r * slope))
        along = r**2 * ((2 * s * p - b) * q - s * both)
        by_x = _combined(r * (s * a_mean * q - slope * g_mean), (a, -s * r * q), (g, r * slope), (centred, along))
        return by_g, by_x, r * both * g.shape[1], None, None
