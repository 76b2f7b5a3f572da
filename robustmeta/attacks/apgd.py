"""Projected gradient ascent that chooses its own step size."""

from typing import Literal

from pydantic import Field

from robustmeta.attacks.ascent import Norm, ascend, start
from robustmeta.attacks.queries import Queries
from robustmeta.attacks.search import Search
from robustmeta.attacks.ways import DLR_WAY, need
from robustmeta.config.components import component
from robustmeta.functional.margins import cross_entropy, dlr

LOSSES = {"ce": cross_entropy, "dlr": dlr}


@component("apgd", paper="Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness with an Ensemble")
class APGD(Search):
    """Steps with inertia whose size starts at 2ε and is halved where the loss no longer grows (algorithm 1).

    It starts on the surface of the ball. ``loss`` is the cross-entropy, or the difference of logits ratio,
    which neither the scale nor a shift of the logits changes, and which needs three classes.
    """

    norm: Norm = "linf"
    loss: Literal["ce", "dlr"] = "ce"
    steps: int = Field(100, ge=1, description="gradient steps in each restart")
    restarts: int = Field(1, ge=1, description="random starts")

    def search(self, queries: Queries, eps: float) -> None:
        """Climb from each start."""
        self.looks(queries.logits.shape[1])
        for restart in range(self.restarts):
            points = queries.standing()
            if len(points):
                begin = start(points, self.norm, eps, "restart", restart)
                ascend(points, begin, eps, self.norm, self.steps, LOSSES[self.loss], points.y)

    def looks(self, way: int) -> int:
        """The start and every step of every restart."""
        if self.loss == "dlr":
            need(DLR_WAY, way, "attack apgd with loss: dlr")
        return self.restarts * (self.steps + 1)
