"""The multi-class support vector machine of Crammer and Singer (2001) for many tasks at once.

    min over W, ξ of  ½ ‖W‖² + C Σᵢ ξᵢ    with  w_{yᵢ}·zᵢ − w_k·zᵢ ≥ 1 − [k = yᵢ] − ξᵢ  for all i, k

Its dual variables are α = C (Y − P) with Y one-hot labels and a point of the simplex in each row of P; w_k = Σᵢ αᵢₖ zᵢ:

    max over P of  Σᵢ αᵢ,yᵢ − ½ tr(αᵀ K α),  K = Z Zᵀ    (Lee et al. 2019, MetaOptNet, section 3.3)
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from robustmeta.functional.cholesky import cholesky

STEPS = 60
"""Most steps that a task is given; 10 to 20 are usual."""

Rows = Float[Tensor, "T S way"]
Gram = Float[Tensor, "T S S"]


def support_vector_machine(
    z: Float[Tensor, "T S D"], y: Int[Tensor, "T S"], way: int, c: float, tolerance: float = 1e-12
) -> Float[Tensor, "T D way"]:
    """Weights W at the optimum, in float64 inside; there is no intercept, and a class without support has weights 0.

    An interior point method on the dual ends when a task's duality gap is at most ``tolerance`` of its primal
    objective, up to rounding, which leaves 1e-10 of it (1e-7 where C ‖z‖² is 1000); ½‖W − W*‖² is at most that gap. A
    task that has converged is left alone, so no task depends on another. The result is differentiable in z by the
    implicit function theorem, to about 1e-5 (1e-3 there) of a slope. Features that are not finite give weights that are
    not. ``c`` is C > 0.
    """
    x, labels = z.double(), F.one_hot(y, way).double()
    gram = x @ x.mT
    p, slack = _optimum(gram.detach(), labels, c, tolerance)
    alpha = c * (labels - p * _present(labels))
    if gram.requires_grad:
        alpha = _with_gradient(alpha, gram, c, _newton(gram.detach(), labels, p, slack, c))
    return (x.mT @ alpha).to(z.dtype)


def duality_gap(gram: Gram, labels: Rows, p: Rows, c: float) -> tuple[Tensor, Tensor]:
    """The primal objective less the dual one, and the primal one, each (T,)."""
    alpha = c * (labels - p)
    scores = gram @ alpha
    quadratic = 0.5 * (alpha * scores).sum((1, 2))
    worst = (1 - labels + scores).masked_fill(_present(labels) == 0, -torch.inf).amax(-1)
    primal = quadratic + c * (worst - (labels * scores).sum(-1)).sum(-1)
    return primal + quadratic - (alpha * labels).sum((1, 2)), primal


def _with_gradient(alpha: Rows, gram: Gram, c: float, newton: Callable[[Rows], Rows]) -> Rows:
    """The same α as a function of K: where K moves the dual's gradient Y − K α, α moves to keep it optimal."""
    slope = -gram @ alpha
    return alpha + c * newton(slope - slope.detach())


def _present(labels: Rows) -> Rows:
    """One where a class has support."""
    return (labels.sum(1, keepdim=True) > 0).to(labels.dtype).expand_as(labels)


def _optimum(gram: Gram, labels: Rows, c: float, tolerance: float) -> tuple[Rows, Rows]:
    """P and the slacks S of its signs at the optimum: Y − K α = λ 1ᵀ + S, P S → 0, both > 0 (1 in absent classes).

    Mehrotra's predictor and corrector (1992): each step aims at P S = σ μ, with σ from how far a step to 0 would go.
    """
    present = _present(labels)
    p = (1 / present.sum(-1, keepdim=True)).where(present > 0, 1)
    slope = labels - gram @ (c * (labels - p * present))
    shared = slope.masked_fill(present == 0, torch.inf).amin(-1, keepdim=True) - 1
    slack = (slope - shared).where(present > 0, 1)
    for _ in range(STEPS):
        _, primal = duality_gap(gram, labels, p * present, c)
        gap = c * (p * slack * present).sum((1, 2))  # the same gap, of which rounding takes less
        running = (gap > tolerance * primal)[:, None, None]
        if not running.any():
            break
        newton = _newton(gram, labels, p, slack, c)
        mean = _mean(p * slack, present)
        unequal = labels - gram @ (c * (labels - p * present)) - slack  # to be the same λ for all classes of a row
        residual = unequal - (unequal * present).sum(-1, keepdim=True) / present.sum(-1, keepdim=True)
        dp = newton(-slack - residual)
        ds = -slack - slack / p * dp
        length = _reach(p, dp, slack, ds).clamp(max=1)
        sigma = (_mean((p + length * dp) * (slack + length * ds), present) / mean) ** 3
        aim = (sigma * mean - dp * ds) / p - slack
        dp = newton(aim - residual)
        ds = (aim - slack / p * dp) * present
        length = (0.995 * _reach(p, dp, slack, ds)).clamp(max=1)
        p, slack = (p + length * dp).where(running, p), (slack + length * ds).where(running, slack)
    return p, slack


def _newton(gram: Gram, labels: Rows, p: Rows, slack: Rows, c: float) -> Callable[[Rows], Rows]:
    """B ↦ dP with C K dP + (S / P) dP = B + dλ 1ᵀ and dP 1 = 0: one S x S system a class, and one for dλ."""
    hessian = c * gram[:, None]
    least = 1e-10 * hessian.diagonal(dim1=2, dim2=3).sum(-1, keepdim=True)  # for where rounding makes K indefinite
    barrier = torch.maximum((slack / p).mT, least)
    inverse = torch.cholesky_inverse(cholesky(hessian + torch.diag_embed(barrier)))
    inverse = inverse * _present(labels)[:, 0, :, None, None]
    factor = cholesky(inverse.sum(1))

    def solve(b: Rows) -> Rows:
        alone = inverse @ b.mT[..., None]  # (T, way, S, 1)
        shared = torch.cholesky_solve(alone.sum(1), factor)
        return (alone - inverse @ shared[:, None])[..., 0].mT

    return solve


def _mean(v: Rows, present: Rows) -> Float[Tensor, "T 1 1"]:
    return (v * present).sum((1, 2), keepdim=True) / present.sum((1, 2), keepdim=True)


def _reach(p: Rows, dp: Rows, slack: Rows, ds: Rows) -> Float[Tensor, "T 1 1"]:
    """How far both can go before an entry of either is 0."""
    v, dv = torch.cat([p, slack], -1), torch.cat([dp, ds], -1)
    return (-v / dv).where(dv < 0, torch.inf).amin((1, 2), keepdim=True)
