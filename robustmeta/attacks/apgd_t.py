"""Auto-PGD towards one class after the other."""

from pydantic import Field

from robustmeta.attacks.ascent import Norm, ascend, start
from robustmeta.attacks.queries import Queries
from robustmeta.attacks.search import Search
from robustmeta.attacks.ways import TARGETED_DLR_WAY, aims, need, targets
from robustmeta.config.components import component
from robustmeta.functional.margins import targeted_dlr


@component("apgd_t", paper="Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness with an Ensemble")
class APGDT(Search):
    """Auto-PGD on the targeted difference of logits ratio, which needs four classes.

    The targets are the likeliest other classes of the clean query, at most way − 1.
    """

    norm: Norm = "linf"
    steps: int = Field(100, ge=1, description="gradient steps for each target in each restart")
    restarts: int = Field(1, ge=1, description="random starts for each target")
    targets: int = Field(9, ge=1, description="other classes aimed at, the likeliest first")

    def search(self, queries: Queries, eps: float) -> None:
        """Climb from each start towards each target."""
        way = queries.logits.shape[1]
        self.looks(way)
        for rank in range(targets(self.targets, way)):
            for restart in range(self.restarts):
                points = queries.standing()
                if len(points):
                    begin = start(points, self.norm, eps, "target", rank, "restart", restart)
                    ascend(points, begin, eps, self.norm, self.steps, targeted_dlr, aims(points, rank))

    def looks(self, way: int) -> int:
        """The start and every step of every restart towards every target."""
        need(TARGETED_DLR_WAY, way, "attack apgd_t")
        return targets(self.targets, way) * self.restarts * (self.steps + 1)
