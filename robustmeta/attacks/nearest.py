"""What the attacks keep that look for the smallest change that makes a query wrong."""

import torch
from torch import Tensor

from robustmeta.attacks.ascent import Norm
from robustmeta.attacks.queries import Points, Queries
from robustmeta.functional.projection import BALLS


class Nearest:
    """The nearest wrong version found of each query, and its distance (N,), infinite where there is none."""

    def __init__(self, queries: Queries, norm: Norm, eps: float) -> None:
        self.ball, self.eps = BALLS[norm], eps
        self.x = queries.x.clone()
        self.distance = torch.full_like(queries.worst.loss, torch.inf)

    def see(self, points: Points, x: Tensor, logits: Tensor) -> Tensor:
        """Keep what is wrong and nearer than before, offer what lies within ε: which are wrong (n,).

        A set of coupled queries is offered where all of them do.
        """
        rows = points.rows
        wrong = logits.argmax(-1) != points.y
        distance = self.ball.norm(x - points.x).flatten()
        nearer = wrong & (distance < self.distance[rows])
        self.x[rows[nearer]], self.distance[rows[nearer]] = x[nearer], distance[nearer]
        inside = points.pool((distance > self.eps).float()) == 0
        points.keep(inside).offer(x[inside], logits[inside])
        return wrong

    def shrink(self, points: Points) -> None:
        """Look at the nearest of each, brought to ε; of coupled queries all together."""
        points = points.keep(points.pool(self.distance[points.rows].isfinite().float()) > 0)
        if len(points):
            points.look(self.ball.within(points.x, self.x[points.rows], self.eps))
