"""Projected gradient ascent on the loss."""

from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor

from robustmeta.attacks.queries import Points, Queries
from robustmeta.attacks.search import Search
from robustmeta.config.components import component
from robustmeta.functional.adaptive import DECAY, Decay
from robustmeta.functional.projection import BALLS, norm1


@component(
    "pgd",
    version=2,
    paper="Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks, section 2.1",
)
class PGD(Search):
    """x ← Π(x + α · s(g)), with s the steepest step of the norm and Π onto its ε-ball and [0, 1]; g ← μ g + ∇L / ‖∇L‖₁.

    L is the cross-entropy, μ ``momentum`` (Dong et al. 2018, Boosting Adversarial Attacks with Momentum, eq. 6; with 0,
    s(g) = s(∇L)). s is the sign for L∞, g / ‖g‖₂ for L2, the sign of the largest entries for L1. ``decay`` lets α fall
    over the steps.
    """

    norm: Literal["linf", "l2", "l1"] = "linf"
    steps: int = Field(10, ge=1, description="gradient steps in each restart")
    step_size: float = Field(0.25, gt=0, description="α / ε; 0.25 is the published 2/255 at ε = 8/255")
    decay: Decay = "constant"
    momentum: float = Field(0.0, ge=0, description="μ; 1 is the published choice, 0 none")
    restarts: int = Field(1, ge=1, description="random starts")
    random_start: bool = Field(True, description="start from a uniform draw in the ball, else from the clean query")
    leave: bool = Field(True, description="stop at a query's first wrong answer, else climb on to its highest loss")

    @model_validator(mode="after")
    def _restarts_differ(self) -> "PGD":
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"{self.restarts} restarts without random_start are the same; give restarts: 1")
        return self

    def search(self, queries: Queries, eps: float) -> None:
        """Climb from each start."""
        for restart in range(self.restarts):
            points, ball = queries.standing() if self.leave else queries.everything(), BALLS[self.norm]
            start = points.x
            if self.random_start:
                start = ball.within(points.x, start + ball.draw(points.shape, eps, points.rng("restart", restart)), eps)
            self._climb(points, start, eps)

    def _climb(self, points: Points, x: Tensor, eps: float) -> None:
        ball, speed = BALLS[self.norm], 0 * x
        for k in range(self.steps):
            if not len(points):
                return
            seen = points.climb(x, points.y)
            points.offer(x, seen.logits)
            gradient = seen.gradient
            if self.leave and not (up := points.up()).all():
                points, x, speed, gradient = points.keep(up), x[up], speed[up], gradient[up]
            if self.momentum:
                length = norm1(gradient)
                gradient = speed = self.momentum * speed + gradient / length.where(length > 0, 1)
            step = self.step_size * eps * DECAY[self.decay](k / self.steps)
            x = ball.within(points.x, x + step * ball.steepest(gradient), eps)
        if len(points):
            points.look(x)

    def looks(self, way: int) -> int:
        """The start and every step of every restart."""
        return self.restarts * (self.steps + 1)
