"""Cells of an image, pinched and twirled."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def cell_shift(side: int, pinch: float, turn: float) -> Float[Tensor, "2 S S"]:
    """Where the pixels of a cell come from, (row, column) minus their own place, in pixels.

    Around the cell's pixel ρ = ⌊side/2⌋, δ ↦ R(turn · (1 − d)²) · δ · sin(πd/2)^(−pinch), d = ‖δ‖/ρ ≤ 1, with R =
    [[cos, −sin], [sin, cos]] on (row, column); 0 farther out. ``turn`` in radians.
    """
    reach = side // 2
    at = torch.arange(side, dtype=torch.float64) - reach
    delta = torch.stack(torch.meshgrid(at, at, indexing="ij"))
    distance = delta.square().sum(0).sqrt()
    d = (distance / reach).clamp(max=1)
    angle = turn * (1 - d).square()
    size = (math.pi / 2 * d).sin() ** -pinch
    moved = torch.stack(
        [angle.cos() * delta[0] - angle.sin() * delta[1], angle.sin() * delta[0] + angle.cos() * delta[1]]
    )
    inside = (distance > 0) & (distance <= reach)
    return torch.where(inside, moved * size - delta, 0.0).float()


def tiled_shift(
    height: int, width: int, side: int, pinch: float, turn: float, forward: Bool[Tensor, "N Y X"]
) -> Float[Tensor, "2 N H W"]:
    """``cell_shift`` in every cell, turned by ``turn`` where ``forward`` and else by −``turn``; 0 in what is left over.

    Y = ⌊H / side⌋ and X = ⌊W / side⌋ cells.
    """
    shift = torch.stack([cell_shift(side, pinch, sign * turn) for sign in (-1, 1)], 1).to(forward.device)
    cells = shift[:, forward.long()]  # (2, N, Y, X, side, side)
    whole = cells.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return F.pad(whole, (0, width - whole.shape[-1], 0, height - whole.shape[-2]))
