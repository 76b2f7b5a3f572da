"""Auto-PGD's way up a loss, for its untargeted and its targeted form."""

from dataclasses import dataclass, fields
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from robustmeta.attacks.queries import Points
from robustmeta.functional.adaptive import checkpoints, stuck
from robustmeta.functional.margins import Loss
from robustmeta.functional.projection import BALLS, Ball

Norm = Literal["linf", "l2"]
INERTIA = 0.75
"""α, the weight of the new step against the last one."""


@dataclass
class Track:
    """Where each point is: itself, the step before, its gradient; the best so far; and what decides on its step size.

    ``value`` and what is made from it is pooled: coupled queries of a task move on one schedule.
    """

    x: Tensor
    before: Tensor
    gradient: Tensor
    value: Tensor
    best_x: Tensor
    best_gradient: Tensor
    best: Tensor
    step: Tensor
    rises: Tensor
    best_then: Tensor
    halved_then: Tensor

    def keep(self, some: Bool[Tensor, " n"]) -> "Track":
        """Of some of the points."""
        return Track(*(getattr(self, f.name)[some] for f in fields(self)))


def start(points: Points, norm: Norm, eps: float, *stream: object) -> Tensor:
    """A random point on the surface of the ball around each, cut to [0, 1]."""
    ball = BALLS[norm]
    return ball.within(points.x, points.x + ball.edge(points.shape, eps, points.rng(*stream)), eps)


def ascend(points: Points, x: Tensor, eps: float, norm: Norm, steps: int, loss: Loss, aim: Tensor) -> None:
    """Auto-PGD from x: algorithm 1 of Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness.

    ``aim`` (n, ...) is what the loss wants of each point. The logits that come with each gradient tell whether a point
    has fallen, and then it leaves; the last step is only looked at.
    """
    ball, marks, mark = BALLS[norm], set(checkpoints(steps)), 0
    seen = points.climb(x, aim, loss)
    points.offer(x, seen.logits)
    value = points.pool(seen.value)
    none = torch.zeros_like(value, dtype=torch.long)
    size = torch.full_like(value, 2 * eps)[:, None, None, None]
    track = Track(
        x, x, seen.gradient, value, x, seen.gradient, value, size, none, value, torch.ones_like(none, dtype=torch.bool)
    )
    for k in range(1, steps + 1):
        if not (up := points.up()).all():
            points, track, aim = points.keep(up), track.keep(up), aim[up]
        if not len(points):
            return
        moved = _step(points.x, track, ball, eps, INERTIA if k > 1 else 1.0)
        if k == steps:
            points.look(moved)
            return
        seen = points.climb(moved, aim, loss)
        points.offer(moved, seen.logits)
        _record(track, moved, seen.gradient, points.pool(seen.value))
        if k in marks:
            _review(track, k - mark)
            mark = k


def _step(x: Tensor, track: Track, ball: Ball, eps: float, inertia: float) -> Tensor:
    """Z = P(x_k + η s(∇L)), x_{k+1} = P(x_k + α(z − x_k) + (1 − α)(x_k − x_{k−1}))."""
    straight = ball.within(x, torch.addcmul(track.x, track.step, ball.steepest(track.gradient)), eps)
    if inertia == 1:
        return straight
    mixed = track.x.lerp(straight, inertia).add_(track.x - track.before, alpha=1 - inertia)
    return ball.within(x, mixed, eps)


def _record(track: Track, x: Tensor, gradient: Tensor, value: Tensor) -> None:
    track.rises = track.rises + (value > track.value)
    better = value > track.best
    wide = better[:, None, None, None]
    track.best_x, track.best_gradient = x.where(wide, track.best_x), gradient.where(wide, track.best_gradient)
    track.best = value.where(better, track.best)
    track.before, track.x, track.gradient, track.value = track.x, x, gradient, value


def _review(track: Track, since: int) -> None:
    """At a checkpoint: halve the steps of points that are stuck, and bring those back to their best."""
    halve = stuck(track.rises, since, track.best, track.best_then, track.halved_then)
    wide = halve[:, None, None, None]
    track.step = track.step / (1 + wide.to(track.step))
    track.x, track.gradient = track.best_x.where(wide, track.x), track.best_gradient.where(wide, track.gradient)
    track.rises, track.best_then, track.halved_then = torch.zeros_like(track.rises), track.best, halve
