"""Steps to the nearest border of the linearised classifier."""

from pydantic import Field
from torch import Tensor

from robustmeta.attacks.ascent import Norm
from robustmeta.attacks.nearest import Nearest
from robustmeta.attacks.queries import Points, Queries
from robustmeta.attacks.search import Search
from robustmeta.attacks.ways import targets
from robustmeta.config.components import component
from robustmeta.functional.halfspace import nearest_border
from robustmeta.functional.margins import rivals


@component("deepfool", paper="Moosavi-Dezfooli et al. 2016, DeepFool, algorithm 2")
class DeepFool(Search):
    """r ← r + the shortest step to the nearest linearised border (algorithm 2), until x + (1 + overshoot) r is wrong.

    It looks for the smallest change, and a query falls when that is within ε; for one that stands, the change is shrunk
    to ε and looked at. It draws nothing. Versions are cut to [0, 1].
    """

    norm: Norm = "l2"
    steps: int = Field(50, ge=1, description="steps at most")
    overshoot: float = Field(0.02, ge=0, description="how far beyond the border, as a part of the change")
    classes: int = Field(9, ge=1, description="other classes whose borders are sought, the likeliest first")

    def search(self, queries: Queries, eps: float) -> None:
        """Step until wrong."""
        points, nearest = queries.standing(), Nearest(queries, self.norm, eps)
        if len(points):
            self._walk(points, nearest)
            nearest.shrink(queries.standing())

    def looks(self, way: int) -> int:
        """One at every step, one after them, and one at the shrunk."""
        return self.steps + 2

    def _walk(self, points: Points, nearest: Nearest) -> None:
        x, change = points.x, 0 * points.x
        others = rivals(points.clean, points.y)[:, : targets(self.classes, points.clean.shape[1])]
        for _ in range(self.steps):
            seen = points.slopes(x, others)
            on = ~nearest.see(points, x, seen.logits)
            on = points.pool(on.float()) > 0
            points, others, change = points.keep(on), others[on], change[on]
            if not len(points):
                return
            change = change + self._step(seen.gradient[on], seen.value[on])
            x = (points.x + (1 + self.overshoot) * change).clamp(0, 1)
        nearest.see(points, x, points.logits(x))

    def _step(self, gradient: Tensor, value: Tensor) -> Tensor:
        return nearest_border(gradient.flatten(2), value, self.norm).view_as(gradient[:, 0])
