"""A turned checkerboard with some of its cells taken."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def taken(
    height: int, width: int, turn: Float[Tensor, " N"], cell: Float[Tensor, " N"], table: Bool[Tensor, "N G G"]
) -> Bool[Tensor, "N H W"]:
    """Where the board has an even cell (⌊n₁⌋ + ⌊n₂⌋ even) whose entry in ``table``, taken periodically, is true.

    n₁ = (y·cos a + x·sin a) / σ, n₂ = (−y·sin a + x·cos a) / σ. Entries are found by trunc(n), so that the cells (0, 0)
    and (−1, −1) share one.
    """
    y, x = torch.arange(height, device=turn.device)[:, None], torch.arange(width, device=turn.device)
    cos, sin = (turn.cos() / cell)[:, None, None], (turn.sin() / cell)[:, None, None]
    n1, n2 = y * cos + x * sin, x * cos - y * sin
    even = (n1.floor() + n2.floor()) % 2 == 0
    side = table.shape[-1]
    entry = n1.long().remainder_(side).mul_(side).add_(n2.long().remainder_(side))
    return table.flatten(1).gather(1, entry.flatten(1)).view_as(even) & even
