"""Random squares, kept where they help: an attack that sees logits and no gradient."""

from dataclasses import dataclass

from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from robustmeta.attacks.ascent import Norm
from robustmeta.attacks.queries import Points, Queries
from robustmeta.attacks.search import Search
from robustmeta.config.components import component
from robustmeta.functional.margins import margin
from robustmeta.functional.projection import BALLS, norm2
from robustmeta.functional.recall import Recall
from robustmeta.functional.squares import inside, move_mass, share, tiles, two_bumps, window

BLOCK = 50
"""Queries whose draws are made at once."""
NUMBERS = 4
"""Uniform numbers of a query for places; behind them are those for signs, one a channel and one for a turn."""
SMALLEST = 3
"""Pixels of the L2 attack's least window."""


@dataclass
class Climb:
    """Where each point is, and its margin, pooled."""

    x: Tensor
    best: Tensor
    draws: Tensor

    def keep(self, some: Bool[Tensor, " n"]) -> "Climb":
        """Of some of the points."""
        return Climb(self.x[some], self.best[some], self.draws[some])


@component(
    "square", paper="Andriushchenko et al. 2020, Square Attack: a query-efficient black-box attack via random search"
)
class Square(Search):
    """A random square of the change is replaced, and stays so where max_{i≠y} z_i − z_y grows (algorithms 1 to 3).

    For L∞ a square is ±ε in each channel, over a start of vertical stripes; for L2 two bumps of opposite sign take the
    mass of another square. Squares shrink on the published schedule of 10,000 queries, stretched to ``queries``. A
    version that is what it was before counts as a query and is not looked at again.
    """

    norm: Norm = "linf"
    queries: int = Field(5000, ge=1, description="versions of each query that are looked at, in each restart")
    restarts: int = Field(1, ge=1, description="random starts")
    share: float = Field(0.8, gt=0, le=1, description="part of the pixels that the first squares have")

    def search(self, queries: Queries, eps: float) -> None:
        """Search from each start."""
        for restart in range(self.restarts):
            points = queries.standing()
            if len(points):
                self._search(points, eps, restart)

    def looks(self, way: int) -> int:
        """One a query."""
        return self.restarts * self.queries

    def _search(self, points: Points, eps: float, restart: int) -> None:
        begin = self._stripes if self.norm == "linf" else self._tiles
        x, recall = begin(points, eps, restart), Recall(len(points.of.y))
        at = Climb(x, points.pool(margin(points.look(x, recall), points.y)), x[:, :0])
        recall.keep(points.rows)
        for query in range(1, self.queries):
            if not (up := points.up()).all():
                points, at = points.keep(up), at.keep(up)
            if not len(points):
                return
            if (query - 1) % BLOCK == 0:
                numbers = NUMBERS + points.shape[0] + 1
                at.draws = points.rng("restart", restart, "queries", query // BLOCK).uniform(BLOCK, numbers)
            tried = self._try(points, at, eps, query)
            new = points.pool((tried != at.x).flatten(1).any(1).float()) > 0
            some = points if new.all() else points.keep(new)
            if len(some):
                tried = tried[new]
                value = some.pool(margin(some.look(tried, recall), some.y))
                better = value > at.best[new]
                recall.keep(some.rows[better])
                rows = new.nonzero()[:, 0][better]
                at.x[rows], at.best[rows] = tried[better], value[better]

    def _try(self, points: Points, at: Climb, eps: float, query: int) -> Tensor:
        draws = at.draws[:, (query - 1) % BLOCK]
        channels, height, width = points.shape
        area = share(self.share, query, self.queries) * height * width
        signs = 1 - 2 * (draws[:, NUMBERS : NUMBERS + channels] < 0.5).to(at.x)[:, :, None, None]
        if self.norm == "linf":
            side = min(max(round(area**0.5), 1), height, width)
            square = inside(*_window(draws[:, :2], side, height, width), height, width)
            return (points.x + eps * signs).clamp(0, 1).where(square, at.x)
        side = min(max(round(area**0.5), SMALLEST) // 2 * 2 + 1, height, width)
        bumps = two_bumps(side).to(at.x)
        turned = (draws[:, -1] < 0.5)[:, None, None, None]
        shape = signs * bumps.T.where(turned, bumps)
        places = [_window(draws[:, k : k + 2], side, height, width) for k in (0, 2)]
        delta = move_mass(at.x - points.x, places[0], places[1], shape, eps)
        length = norm2(delta)
        return BALLS["l2"].within(points.x, points.x + delta * (eps / length.where(length > 0, 1)), eps)

    def _stripes(self, points: Points, eps: float, restart: int) -> Tensor:
        """±ε in each column of each channel."""
        channels, _, width = points.shape
        signs = 1 - 2 * points.rng("restart", restart).integers(0, 2, channels, 1, width)
        return (points.x + eps * signs).clamp(0, 1)

    def _tiles(self, points: Points, eps: float, restart: int) -> Tensor:
        """Pairs of bumps over the image, of length ε together."""
        channels, height, width = points.shape
        side = max(min(height, width) // 5, SMALLEST)
        count = (height // side, width // side)
        signs = 1 - 2 * points.rng("restart", restart).integers(0, 2, channels, *count).to(points.x)
        drawn = tiles(height, width, side, signs)
        return BALLS["l2"].within(points.x, points.x + eps * drawn / norm2(drawn), eps)


def _window(places: Tensor, side: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    top, left = ((places[:, i] * (size - side + 1)).long() for i, size in enumerate((height, width)))
    return window(top, left, side)
