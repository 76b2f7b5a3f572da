"""The raster of glass blur: pixels that take the value of a near one, one after the other."""

import torch
from jaxtyping import Int
from torch import Tensor


def sweep(
    shifts: Int[Tensor, "N rows columns 2"], height: int, width: int, reach: int
) -> Int[Tensor, "N height*width"]:
    """Where the value of each pixel comes from, after one pass of v(p) ← v(p + shift) over an image.

    The pass begins at row height − reach and column width − reach and goes left, then up, down to row and column
    reach + 1; pixels outside of this window keep their value. ``shifts[:, r, c]`` is (right, down) of the pixel that
    is r rows above and c columns left of the first. Indices are row · width + column.

    The order matters: a pixel that takes from one later in the raster, which was visited before, gets what that one
    got. Such a chain of takers goes strictly forward, and doubling the steps along it finds its end for all pixels at
    once: the result is that of the loop.
    """
    own = torch.arange(height * width, device=shifts.device)
    inside = torch.zeros(height, width, dtype=torch.bool, device=shifts.device)
    window = (slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1))
    inside[window] = True
    taken = own.repeat(len(shifts), 1)
    target = taken.view(-1, height, width)[:, *window]
    target += (shifts[..., 1] * width + shifts[..., 0]).flip(1, 2)
    if reach == 1:  # shifts are -1 or 0: nothing is taken from later pixels
        return taken
    ahead = torch.where((taken > own) & inside.flatten()[taken], taken, own)
    while not torch.equal(further := ahead.gather(1, ahead), ahead):
        ahead = further
    return taken.gather(1, ahead)
