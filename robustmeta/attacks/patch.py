"""A square of any content."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from robustmeta.attacks.queries import Points, Queries
from robustmeta.attacks.search import Search
from robustmeta.config.components import component
from robustmeta.functional.squares import inside, window


@component("patch", paper="Karmon et al. 2018, LaVAN: Localized and Visible Adversarial Noise")
class Patch(Search):
    """Signed gradient steps on the pixels of one square, from uniform noise; ε is its side as a part of the image's.

    The first square lies where the gradient of the clean query is largest in sum, those of further restarts anywhere.
    The side is rounded to whole pixels: an ε below half a pixel changes nothing.
    """

    largest: ClassVar[float] = 1.0

    norm: Literal["patch"] = "patch"
    steps: int = Field(40, ge=1, description="gradient steps in each restart")
    step_size: float = Field(0.05, gt=0, le=1, description="of the range of a pixel")
    restarts: int = Field(1, ge=1, description="squares that are tried")

    def search(self, queries: Queries, eps: float) -> None:
        """Climb in each square."""
        for restart in range(self.restarts):
            points = queries.standing()
            side = round(min(eps, self.largest) * min(points.shape[1:]))
            if side and len(points):
                square = self._anywhere(points, side, restart) if restart else self._loudest(points, side)
                begin = points.rng("restart", restart, "content").uniform(*points.shape)
                self._climb(points, begin.where(square, points.x), square)

    def looks(self, way: int) -> int:
        """For the first place, then the start and every step of every restart."""
        return 1 + self.restarts * (self.steps + 1)

    def _climb(self, points: Points, x: Tensor, square: Bool[Tensor, "n 1 H W"]) -> None:
        for _ in range(self.steps):
            seen = points.climb(x, points.y)
            points.offer(x, seen.logits)
            up = points.up()
            points, x, square, gradient = points.keep(up), x[up], square[up], seen.gradient[up]
            if not len(points):
                return
            x = (x + self.step_size * gradient.sign() * square).clamp(0, 1)
        points.look(x)

    def _loudest(self, points: Points, side: int) -> Bool[Tensor, "n 1 H W"]:
        return loudest(points.climb(points.x, points.y).gradient, side)

    def _anywhere(self, points: Points, side: int, restart: int) -> Bool[Tensor, "n 1 H W"]:
        height, width = points.shape[1:]
        draws = points.rng("restart", restart, "place").uniform(2)
        top, left = ((draws[:, i] * (size - side + 1)).long() for i, size in enumerate((height, width)))
        return inside(*window(top, left, side), height, width)


def loudest(gradient: Float[Tensor, "n C H W"], side: int) -> Bool[Tensor, "n 1 H W"]:
    """The square with the largest sum of |gradient|."""
    height, width = gradient.shape[-2:]
    sums = F.avg_pool2d(gradient.abs().sum(1, keepdim=True), side, stride=1)
    best = sums.flatten(1).argmax(1)
    columns = sums.shape[-1]
    return inside(*window(best // columns, best % columns, side), height, width)
