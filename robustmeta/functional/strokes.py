"""Straight lines one pixel wide, drawn into images of bytes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def cover(
    height: int, width: int, start: Int[Tensor, "N L 2"], end: Int[Tensor, "N L 2"]
) -> tuple[Int[Tensor, "N L K"], Float[Tensor, "N L K"]]:
    """Pixels that lines may touch, and w = max(0, 1 − d) at distance d between pixel centre and line.

    Along its longer axis a line is followed through the image, as far as from end to end; in each step it touches at
    most four pixels across. Pixels are numbered row by row; number H·W stands for none. Ends are (row, column).
    """
    device = start.device
    long = (end - start).abs()
    steep = (long[..., 0] >= long[..., 1])[..., None]
    first, last = (torch.where(steep, p, p.flip(-1)) for p in (start, end))  # (along, across)
    along = torch.arange(max(height, width), device=device)
    slope = (last - first)[..., 1:].double() / (last - first)[..., :1]
    centre = first[..., 1:] + (along - first[..., :1]) * slope  # (N, L, along)
    low, high = torch.minimum(first, last)[..., :1], torch.maximum(first, last)[..., :1]
    along_end, across_end = torch.where(steep, height, width), torch.where(steep, width, height)
    reached = (along >= low) & (along <= high) & (along < along_end)
    across = centre.floor().long()[..., None] + torch.arange(-1, 3, device=device)
    weight = 1 - (across - centre[..., None]).abs() / (1 + slope.square()).sqrt()[..., None]
    shown = reached[..., None] & (across >= 0) & (across < across_end[..., None])
    steps, steep = along[:, None], steep[..., None]
    pixel = torch.where(steep, steps * width + across, across * width + steps)
    pixel = torch.where(shown, pixel, height * width)
    return pixel.flatten(-2), weight.clamp(min=0).float().flatten(-2)


def draw(
    x: Float[Tensor, "N C H W"], pixel: Int[Tensor, "N L K"], weight: Float[Tensor, "N L K"], value: float
) -> Float[Tensor, "N C H W"]:
    """One line after the other: x ← trunc((1 − w)·x + w·value), x of whole numbers in 0..255."""
    flat = torch.cat([x.flatten(2), x.new_zeros(*x.shape[:2], 1)], 2)
    for line in range(pixel.shape[1]):
        at = pixel[:, line, None].expand(-1, x.shape[1], -1)
        old = flat.gather(2, at)
        mixed = old + weight[:, line, None] * (value - old)
        flat.scatter_(2, at, mixed.add_(1e-3).floor_())
    return flat[..., :-1].view_as(x)
