"""Which part of a map changes with a window of the image, and which part of the image that part of the map is made of.

All that is here is along one axis; a step (k, s, p) is a kernel of k cells every s cells, with p zeros at either end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Step = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Window:
    """As many cells of each of N maps, which may stick out of them: ``start`` (N,), ``length``, of ``size``."""

    start: Int[Tensor, " N"]
    length: int
    size: int

    def cells(self) -> Int[Tensor, "N length"]:
        """Their places; those that stick out are brought to the end of the map."""
        return (self.start[:, None] + torch.arange(self.length)).clamp(0, self.size - 1)

    def there(self) -> Bool[Tensor, "N length"]:
        """Which of them lie in the map."""
        place = self.start[:, None] + torch.arange(self.length)
        return (place >= 0) & (place < self.size)


def changed(differs: Bool[Tensor, "N L"]) -> Window:
    """The shortest windows of one length that hold all that differs; of a row where nothing does, all of it."""
    size = differs.shape[1]
    cells = differs.to(torch.uint8)
    first, last = cells.argmax(1), size - 1 - cells.flip(1).argmax(1)
    return Window(first, int((last - first).max()) + 1, size)


def onward(window: Window, step: Step) -> Window:
    """What a step makes of it: all cells under whose kernel one of its cells lies, at most the whole map."""
    kernel, stride, padding = step
    size = (window.size + 2 * padding - kernel) // stride + 1
    length = min((window.length + kernel - 2) // stride + 1, size)
    start = (window.start + padding - kernel).div(stride, rounding_mode="floor") + 1
    return Window(start.clamp(0, size - length), length, size)


def seen_by(window: Window, step: Step, size: int) -> Window:
    """All that lies under the kernels of its cells, in a map of ``size``."""
    kernel, stride, padding = step
    return Window(window.start * stride - padding, (window.length - 1) * stride + kernel, size)


def trace(window: Window, steps: Sequence[Step]) -> list[Window]:
    """What is needed of the image, and of each map after it, to compute what changes in the last of them."""
    sizes, end = [window.size], window
    for step in steps:
        end = onward(end, step)
        sizes.append(end.size)
    found = [end]
    for step, size in zip(reversed(steps), reversed(sizes[:-1]), strict=True):
        found.append(seen_by(found[-1], step, size))
    return found[::-1]
