"""Rotations and translations."""

import math
from itertools import product
from typing import Literal

import torch
from pydantic import Field

from robustmeta.attacks.queries import Queries
from robustmeta.attacks.search import Search
from robustmeta.config.components import component
from robustmeta.functional.warp import affine, warp

Move = tuple[float, float, float]


@component("spatial", paper="Engstrom et al. 2019, Exploring the Landscape of Spatial Robustness, section 3.3")
class Spatial(Search):
    """The worst of a grid of turns and shifts, the largest first; what comes in from outside is 0.

    ε scales the ranges: at 1 they are the published ±30° and ±10% of the side (3 of 28 or 32 pixels). Pixels between
    others are interpolated bilinearly.
    """

    norm: Literal["spatial"] = "spatial"
    degrees: float = Field(30.0, ge=0, le=180, description="largest turn at ε = 1")
    shift: float = Field(0.1, ge=0, le=1, description="largest shift at ε = 1, as a part of the side")
    turns: int = Field(7, ge=1, description="turns in the grid; the published grid has 31")
    shifts: int = Field(5, ge=1, description="shifts in the grid, along each side")

    def search(self, queries: Queries, eps: float) -> None:
        """Look at each move."""
        for turn, right, down in self.moves():
            points = queries.standing()
            if not len(points):
                return
            n = len(points)
            angle = torch.full((n,), math.radians(turn * self.degrees * eps))
            shift = (torch.tensor([right, down]) * 2 * self.shift * eps).expand(n, 2)
            theta = affine(angle, torch.ones(n, 2), torch.zeros(n), shift)
            still = points.x.new_zeros(n, 2, *points.shape[1:])
            points.look(warp(points.x, theta.to(points.x), still, 0.0).clamp(0, 1))

    def looks(self, way: int) -> int:
        """One a move."""
        return len(self.moves())

    def moves(self) -> list[Move]:
        """(turn, shift right, shift down) as parts of the ranges, the largest first, without none at all."""
        grid = product(_grid(self.turns), _grid(self.shifts), _grid(self.shifts))
        return sorted((m for m in grid if any(m)), key=lambda m: -sum(v * v for v in m))


def _grid(count: int) -> list[float]:
    """That many places from −1 to 1; one is none."""
    return [2 * i / (count - 1) - 1 for i in range(count)] if count > 1 else [0.0]
