"""The smallest change by descent on its length and a margin together."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from robustmeta.attacks.nearest import Nearest
from robustmeta.attacks.queries import Points, Queries
from robustmeta.attacks.search import Search
from robustmeta.config.components import component
from robustmeta.functional.descent import adam_step
from robustmeta.functional.margins import margin

ROOM = 1 - 1e-6
"""Pixels are held this part of the way from 0.5 to 0 or 1, where tanh can still be inverted."""


@component(
    "carlini_wagner", paper="Carlini and Wagner 2017, Towards Evaluating the Robustness of Neural Networks, section V"
)
class CarliniWagner(Search):
    """min ‖x' − x‖₂² + c · max(z_y − max_{i≠y} z_i, 0) over w with x' = (tanh(w) + 1) / 2.

    By Adam from the clean query. A binary search looks for the smallest c that makes a query wrong. The attack looks
    for the smallest change, and a query falls when that is within ε; for one that stands, the change is shrunk to ε and
    looked at. It draws nothing.
    """

    norm: Literal["l2"] = "l2"
    steps: int = Field(200, ge=1, description="steps of Adam for each c")
    rate: float = Field(0.01, gt=0, description="Adam's rate")
    searches: int = Field(9, ge=1, description="values of c that are tried")
    first: float = Field(1e-3, gt=0, description="the first c, ten times as large while nothing is found")

    def search(self, queries: Queries, eps: float) -> None:
        """Descend for each c, then halve the interval it lies in."""
        nearest = Nearest(queries, self.norm, eps)
        low = torch.zeros_like(nearest.distance)
        high, c = low + torch.inf, low + self.first
        for _ in range(self.searches):
            points = queries.standing()
            if not len(points):
                return
            won = self._descend(points, c[points.rows], nearest)
            high, low = c.where(won, high), c.where(~won, low)
            c = ((low + high) / 2).where(high.isfinite(), 10 * c)
        nearest.shrink(queries.standing())

    def looks(self, way: int) -> int:
        """The start and every step for each c, and one at the shrunk."""
        return self.searches * (self.steps + 1) + 1

    def _descend(self, points: Points, c: Float[Tensor, " n"], nearest: Nearest) -> Tensor:
        """Which of all queries (N,) it has made wrong."""
        won = torch.zeros_like(nearest.distance, dtype=torch.bool)
        w = (ROOM * (2 * points.x - 1)).atanh()
        first, second, x = 0 * w, 0 * w, points.x
        for k in range(1, self.steps + 1):
            seen = points.climb(x, points.y, hinge)
            won[points.rows[nearest.see(points, x, seen.logits)]] = True
            up = points.up()
            points, c, w, first, second, x = points.keep(up), c[up], w[up], first[up], second[up], x[up]
            if not len(points):
                return won
            slope = 2 * (x - points.x) - c[:, None, None, None] * seen.gradient[up]
            through = slope * (1 - w.tanh().square()) / 2
            move, first, second = adam_step(through, first, second, k)
            w = w - self.rate * move
            x = (w.tanh() + 1) / 2
        won[points.rows[nearest.see(points, x, points.logits(x))]] = True
        return won


def hinge(z: Float[Tensor, "n way"], y: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """min(max_{i≠y} z_i − z_y, 0), the negative of the paper's f₆ with κ = 0."""
    return margin(z, y).clamp(max=0)
