"""Random noise as strong as an attack: the control that an attack has to beat."""

from typing import Literal

from pydantic import Field

from robustmeta.attacks.queries import Queries
from robustmeta.attacks.search import Search
from robustmeta.config.components import component
from robustmeta.functional.projection import BALLS


@component("noise", paper="Carlini et al. 2019, On Evaluating Adversarial Robustness, section 4")
class Noise(Search):
    """The worst of some draws on the surface of the ball, cut to [0, 1]; no gradient, no search."""

    norm: Literal["linf", "l2", "l1"] = "linf"
    draws: int = Field(1, ge=1, description="draws for each query")

    def search(self, queries: Queries, eps: float) -> None:
        """Look at each draw."""
        ball = BALLS[self.norm]
        for draw in range(self.draws):
            points = queries.standing()
            if len(points):
                step = ball.edge(points.shape, eps, points.rng("draw", draw))
                points.look(ball.within(points.x, points.x + step, eps))

    def looks(self, way: int) -> int:
        """One a draw."""
        return self.draws
