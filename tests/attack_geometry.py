"""Checks of balls around images, for tests and the faults that must turn them red."""

import torch
from torch import Tensor

from robustmeta.functional.projection import Ball
from robustmeta.rng import Rng

ORDER = {
    # within 0.5 of (0.9, 0.5): first into the ball, then into [0, 1]; the other way round it is (1, 0.6), but for L1
    "linf": ((1.9, 0.6), 0.5, (1.0, 0.6)),
    "l2": ((1.9, 0.6), 0.5, (1.0, 0.54975)),
    "l1": ((1.9, 0.6), 0.5, (1.0, 0.5)),
}


FARTHEST = {
    "linf": lambda r: r.abs().sum(1),
    "l2": lambda r: r.norm(dim=1),
    "l1": lambda r: r.abs().amax(1),
}
"""max ⟨r, q⟩ over the ball of radius 1: the dual norm."""


def hold_projection(ball: Ball, norm: str, eps: float, spread: float, seed: int = 0) -> None:
    """Assert that a projection p of d lies in the ball, is its own, and that no point of the ball is nearer.

    That is so if and only if ⟨d − p, q⟩ ≤ ⟨d − p, p⟩ for all q of the ball.
    """
    draws = Rng(seed, ("projection",), range(3))
    d = spread * draws.normal(2, 3, 3)
    near = ball.project(d, eps)
    assert bool((ball.norm(near) <= eps * (1 + 1e-5)).all()), "outside of the ball"
    torch.testing.assert_close(ball.project(near, eps), near, rtol=1e-5, atol=1e-6 * eps)
    inside = ball.norm(d) <= eps
    torch.testing.assert_close(near.where(inside, d), d, rtol=0, atol=0)
    rest, p = (d - near).flatten(1).double(), near.flatten(1).double()
    most = eps * FARTHEST[norm](rest)
    assert bool(((rest * p).sum(1) >= most - 1e-4 * eps * spread).all()), "another point is nearer"


def hold_order(ball: Ball, norm: str) -> None:
    """Assert that a candidate is brought into the ball before it is cut to [0, 1], by a worked case."""
    candidate, eps, want = ORDER[norm]
    x = torch.tensor([0.9, 0.5]).view(1, 1, 1, 2)
    got = ball.within(x, torch.tensor(candidate).view_as(x), eps)
    torch.testing.assert_close(got.flatten(), torch.tensor(want), atol=1e-4, rtol=0)


def hold_box_step(x: Tensor, step: Tensor) -> None:
    """Assert that a step stays in [0, 1]."""
    assert bool((x + step >= -1e-9).all())
    assert bool((x + step <= 1 + 1e-9).all())
