"""The nearest wrong query, sought along the border between two classes."""

from dataclasses import dataclass

from pydantic import Field
from torch import Tensor

from robustmeta.attacks.ascent import Norm
from robustmeta.attacks.nearest import Nearest
from robustmeta.attacks.queries import Points, Queries
from robustmeta.attacks.search import Search
from robustmeta.attacks.ways import aims, targets
from robustmeta.config.components import component
from robustmeta.functional.halfspace import between, to_hyperplane
from robustmeta.functional.margins import difference
from robustmeta.functional.projection import BALLS

MOST = 0.1
"""α_max, the largest part of a step that is taken from the clean query."""
BEYOND = 1.05
"""η, how far a step goes beyond the border."""
BACK = 0.9
"""β, what is left of the distance to the clean query after a step back from a wrong one."""


@dataclass
class Border:
    """Where z_t − z_y is 0 when it is linearised at x: its gradient w and its value there."""

    x: Tensor
    w: Tensor
    value: Tensor

    def at(self, p: Tensor) -> Tensor:
        """What is linear at p."""
        return self.value + (self.w * (p - self.x)).sum(1, keepdim=True)

    def keep(self, some: Tensor) -> "Border":
        """Of some of the points."""
        return Border(self.x[some], self.w[some], self.value[some])


@component(
    "fab",
    paper="Croce and Hein 2020, Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack, "
    "algorithm 1; targeted as in Reliable Evaluation of Adversarial Robustness with an Ensemble",
)
class FAB(Search):
    """FAB-T: steps to the linearised border of the query's class and one target, held close to the clean query.

    It looks for the smallest change, and a query falls when that is within ε; for one that stands, the smallest found
    is shrunk to ε and looked at. The first start is the clean query, others are random, at half of the smallest change
    found or of ε. The targets are the likeliest other classes of the clean query, at most way − 1.

    The published program looks at a step before it takes the gradient at it, or at the point it went back to; here one
    pass does both, and the border is linearised before going back.
    """

    norm: Norm = "linf"
    steps: int = Field(100, ge=1, description="steps for each target in each restart")
    restarts: int = Field(1, ge=1, description="starts for each target: the clean query, then random ones")
    targets: int = Field(9, ge=1, description="other classes aimed at, the likeliest first")

    def search(self, queries: Queries, eps: float) -> None:
        """Walk from each start towards each target."""
        nearest = Nearest(queries, self.norm, eps)
        for rank in range(targets(self.targets, queries.logits.shape[1])):
            for restart in range(self.restarts):
                points = queries.standing()
                if len(points):
                    begin = points.x if restart == 0 else self._start(points, nearest, rank, restart)
                    self._walk(points, begin, aims(points, rank), nearest)

    def looks(self, way: int) -> int:
        """The start, every step, and the smallest change, shrunk."""
        return targets(self.targets, way) * self.restarts * (self.steps + 2)

    def _start(self, points: Points, nearest: Nearest, rank: int, restart: int) -> Tensor:
        radius = nearest.distance[points.rows].clamp(max=nearest.eps)[:, None, None, None] / 2
        drawn = nearest.ball.edge(points.shape, 1.0, points.rng("target", rank, "restart", restart))
        return (points.x + radius * drawn).clamp(0, 1)

    def _walk(self, points: Points, x: Tensor, aim: Tensor, nearest: Nearest) -> None:
        for _ in range(self.steps):
            seen = points.climb(x, aim, difference)
            wrong = nearest.see(points, x, seen.logits)
            border = Border(x.flatten(1), seen.gradient.flatten(1), seen.value[:, None])
            x = (points.x + BACK * (x - points.x)).where(wrong[:, None, None, None], x)
            if not (up := points.up()).all():
                points, x, aim, border = points.keep(up), x[up], aim[up], border.keep(up)
            if not len(points):
                return
            x = self._step(points.x, x, border)
        nearest.see(points, x, points.logits(x))
        nearest.shrink(points)

    def _step(self, clean: Tensor, x: Tensor, border: Border) -> Tensor:
        here, start = x.flatten(1), clean.flatten(1)
        to_here, to_start = (to_hyperplane(p, border.w, border.at(p), self.norm) for p in (here, start))
        far, near = (BALLS[self.norm].norm(d.view_as(x)).flatten(1) for d in (to_here, to_start))
        return between(here, start, to_here, to_start, far, near, MOST, BEYOND).view_as(x)
