"""Projected gradient ascent on the loss."""

from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor

from robustmeta.attacks.gradient import climb, look, worse
from robustmeta.config.components import Attack, component
from robustmeta.core import Classifier
from robustmeta.functional.projection import BALLS
from robustmeta.rng import Rng


@component("pgd", paper="Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks, section 2.1")
class PGD(Attack):
    """x ← Π(x + α · s(∇ₓ L(x, y))), with s the steepest step of the norm and Π onto its ε-ball and [0, 1].

    L is the cross-entropy; s is the sign for L∞, the direction g / ‖g‖₂ for L2. The worst of all queries seen is kept,
    the clean one among them: for each query, or, where a classifier couples the queries of a task, for each task.
    """

    norm: Literal["linf", "l2"] = "linf"
    steps: int = Field(10, ge=1, description="gradient steps in each restart")
    step_size: float = Field(0.25, gt=0, description="α / ε; 0.25 is the published 2/255 at ε = 8/255")
    restarts: int = Field(1, ge=1, description="random starts")
    random_start: bool = Field(True, description="start from a uniform draw in the ball, else from the clean query")

    @model_validator(mode="after")
    def _restarts_differ(self) -> "PGD":
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"{self.restarts} restarts without random_start are the same; give restarts: 1")
        return self

    def perturb(self, classifier: Classifier, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
        """Perturb x (T, Q, C, H, W) in [0, 1] by at most eps in the norm over (C, H, W)."""
        ball = BALLS[self.norm]
        worst = look(classifier, x, y)
        for restart in range(self.restarts):
            current = x
            if self.random_start:
                start = ball.draw(tuple(x.shape[2:]), eps, rng.child("restart", restart))
                current = ball.within(x, x + start, eps)
            for _ in range(self.steps):
                seen, gradient = climb(classifier, current, y)
                worst = worse(worst, seen, coupled=classifier.coupled)
                current = ball.within(x, current + self.step_size * eps * ball.steepest(gradient), eps)
            worst = worse(worst, look(classifier, current, y), coupled=classifier.coupled)
        return worst.x

    def passes(self) -> int:
        """The clean query, then the start and every step of every restart."""
        return 1 + self.restarts * (self.steps + 1)
