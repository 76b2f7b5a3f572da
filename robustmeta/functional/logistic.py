"""Multinomial logistic regression for many tasks at once."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

INTERCEPT = 1e-6
"""A ridge on the intercepts, too small to see, that keeps that of a class without support finite."""
EXACT = 1e-8
"""What of its right side a system that is solved leaves over."""


def logistic_regression(
    z: Float[Tensor, "T S D"], y: Int[Tensor, "T S"], way: int, c: float, tolerance: float = 1e-6
) -> tuple[Float[Tensor, "T way D"], Float[Tensor, "T way"]]:
    """Weights and intercepts that minimise C Σ_i −log softmax(W z_i + b)[y_i] + ½‖W‖², as scikit-learn's do.

    Newton's method with conjugate gradients and halved steps, in float64 on the span of the features (rank ≤ S). Far
    from the optimum a step is solved for to a tenth, near it to as much as the gradient is small, which keeps
    convergence quadratic (Dembo, Eisenstat and Steihaug 1982, Inexact Newton Methods).
    A task that has converged is left alone, so no task depends on another. ``c`` > 0 is the inverse regularisation,
    ``tolerance`` bounds the gradient's largest entry (times min(c, 1)). The result is differentiable once in z, by the
    implicit function theorem.
    """
    basis, triangle = torch.linalg.qr(z.detach().double().mT)  # z = triangleᵀ basisᵀ
    x = torch.cat([triangle.mT, torch.ones_like(triangle[:, :1]).mT], -1)  # (T, S, R + 1), the last is the intercept's
    ridge = x.new_ones(x.shape[-1])
    ridge[-1] = INTERCEPT
    onehot = F.one_hot(y, way).double()
    w = x.new_zeros(len(x), way, x.shape[-1])

    def objective(w: Tensor) -> Tensor:
        likelihood = (onehot * (x @ w.mT).log_softmax(-1)).sum((1, 2))
        return 0.5 * (ridge * w.square()).sum((1, 2)) - c * likelihood

    for _ in range(100):
        p = (x @ w.mT).softmax(-1)
        gradient = c * (p - onehot).mT @ x + ridge * w
        steepest = gradient.abs().amax((1, 2))
        active = steepest > tolerance * min(c, 1.0)
        if not active.any():
            break
        step = _newton_step(x, p, ridge, c, gradient, steepest.clamp(EXACT, 0.1)[:, None, None])
        w = w - _halved(objective, w, step, gradient) * active[:, None, None] * step
    weight = w[..., :-1] @ basis.mT
    if torch.is_grad_enabled() and z.requires_grad:
        weight, bias = _with_gradient(z.double(), weight, w[..., -1], (x, basis, onehot, ridge, c))
        return weight.to(z.dtype), bias.to(z.dtype)
    return weight.to(z.dtype), w[..., -1].to(z.dtype)


def _with_gradient(
    z: Tensor, weight: Tensor, bias: Tensor, problem: tuple[Tensor, Tensor, Tensor, Tensor, float]
) -> tuple[Tensor, Tensor]:
    """The same optimum as a function of z: one Newton step w − H⁻¹ g(w, z) from it, with H a constant.

    Off the span of the features H is the ridge, 1, for no score depends on what lies there.
    """
    x, basis, onehot, ridge, c = problem
    residual = c * ((z @ weight.mT + bias[:, None]).softmax(-1) - onehot)
    slope = residual.mT @ z + weight
    within = slope @ basis
    across = slope - within @ basis.mT
    gradient = torch.cat([within, residual.sum(1)[..., None] + INTERCEPT * bias[..., None]], -1)
    p = (residual / c + onehot).detach()
    step = _Solved.apply(gradient - gradient.detach(), x, p, ridge, c)
    return weight - step[..., :-1] @ basis.mT - (across - across.detach()), bias - step[..., -1]


class _Solved(torch.autograd.Function):
    """g ↦ H⁻¹ g, which is linear and its own transpose."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, x: Tensor, p: Tensor, ridge: Tensor, c: float) -> Tensor:
        ctx.problem = (x, p, ridge, c)
        return _newton_step(x, p, ridge, c, gradient)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x, p, ridge, c = ctx.problem
        return _newton_step(x, p, ridge, c, grads[0]), None, None, None, None


def _newton_step(
    x: Tensor, p: Tensor, ridge: Tensor, c: float, gradient: Tensor, left: Tensor | float = EXACT
) -> Tensor:
    """H⁻¹ g by conjugate gradients, H v = C Σ_i (diag p_i − p_i p_iᵀ) V x_i x_iᵀ + ridge V, all tasks abreast.

    ``left``: ‖H step − g‖ / ‖g‖ at which it stops, (T, 1, 1) or one for all.
    """
    step, residual = torch.zeros_like(gradient), gradient
    direction, energy = residual, residual.square().sum((1, 2), keepdim=True)
    enough = left**2 * energy
    for _ in range(2 * x.shape[-1] * p.shape[-1]):
        u = x @ direction.mT
        u = p * (u - (p * u).sum(-1, keepdim=True))
        image = c * u.mT @ x + ridge * direction
        length = energy / (direction * image).sum((1, 2), keepdim=True).clamp(min=1e-300)
        length = length.where(energy > enough, 0)
        step, residual = step + length * direction, residual - length * image
        last, energy = energy, residual.square().sum((1, 2), keepdim=True)
        if (energy <= enough).all():
            break
        direction = residual + energy / last.clamp(min=1e-300) * direction
    return step


def _halved(objective: Callable[[Tensor], Tensor], w: Tensor, step: Tensor, gradient: Tensor) -> Tensor:
    """The largest of 1, ½, ¼, ... at which each task's objective falls enough (Armijo's rule), (T, 1, 1)."""
    start, slope = objective(w), (gradient * step).sum((1, 2))
    length = torch.ones_like(start)
    for _ in range(30):
        gain = start - objective(w - length[:, None, None] * step)
        poor = gain < 1e-4 * length * slope - 1e-12 * start.abs()
        if not poor.any():
            break
        length = length.where(~poor, length / 2)
    return length[:, None, None]
