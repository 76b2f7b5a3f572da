"""One step along the sign of the gradient."""

from typing import Literal

from robustmeta.attacks.queries import Queries
from robustmeta.attacks.search import Search
from robustmeta.config.components import component
from robustmeta.functional.projection import BALLS


@component(
    "fgsm",
    version=2,
    paper="Goodfellow et al. 2015, Explaining and Harnessing Adversarial Examples, section 4",
)
class FGSM(Search):
    """x + ε · sign(∇ₓ L(x, y)), cut to [0, 1]; L is the cross-entropy, sign(0) = 0. It draws nothing.

    Where that is no worse than the clean query, the clean query stays.
    """

    norm: Literal["linf"] = "linf"

    def search(self, queries: Queries, eps: float) -> None:
        """Take the step and look."""
        points, ball = queries.standing(), BALLS[self.norm]
        if len(points):
            step = ball.steepest(points.climb(points.x, points.y).gradient)
            points.look(ball.within(points.x, points.x + eps * step, eps))

    def looks(self, way: int) -> int:
        """For the gradient, and at the end of the step."""
        return 2
