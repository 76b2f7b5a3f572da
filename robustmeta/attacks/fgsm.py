"""One step along the sign of the gradient."""

from typing import Literal

from torch import Tensor

from robustmeta.attacks.gradient import climb
from robustmeta.config.components import Attack, component
from robustmeta.core import Classifier
from robustmeta.functional.projection import BALLS
from robustmeta.rng import Rng


@component("fgsm", paper="Goodfellow et al. 2015, Explaining and Harnessing Adversarial Examples, section 4")
class FGSM(Attack):
    """x + ε · sign(∇ₓ L(x, y)), cut to [0, 1]; L is the cross-entropy, sign(0) = 0. It draws nothing."""

    norm: Literal["linf"] = "linf"

    def perturb(self, classifier: Classifier, x: Tensor, y: Tensor, eps: float, rng: Rng) -> Tensor:
        """Perturb x (T, Q, C, H, W) in [0, 1] by at most eps in every entry."""
        gradient = climb(classifier, x, y)[1]
        ball = BALLS[self.norm]
        return ball.within(x, x + eps * ball.steepest(gradient), eps)

    def passes(self) -> int:
        """One."""
        return 1
