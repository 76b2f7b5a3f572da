"""How the points of several tasks are sent through a classifier that wants as many of each task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

PASS_PIXELS = 256 * 28**2
"""Pixels of a pass: with fewer calls cost more than they compute, with more its maps take memory and little is won."""
RECALL_PIXELS = 2 * PASS_PIXELS
"""The same where most of the maps are recalled."""
SPARE_PIXELS = 4 * 28**2
"""Pixels that cost about as much as one more pass: so much padding is worth joining another task to a pass."""
FEW = 16
"""Points of a pass, however large the images."""


@dataclass(frozen=True, eq=False)
class Pack:
    """A pass: neighbouring tasks, and which points (T, W) it holds of them.

    ``real`` (T, W) marks those that are not there to fill a row; None where all are real. ``start``, ``stop``: the
    real ones are these of all points.
    """

    tasks: slice
    points: Int[Tensor, "T W"]
    real: Bool[Tensor, "T W"] | None
    start: int
    stop: int

    def fill(self, values: Tensor) -> Tensor:
        """What is (n, ...) for all points as (T, W, ...)."""
        if self.real is None:
            return values[self.start : self.stop].unflatten(0, self.points.shape)
        return values[self.points]

    def drain(self, values: Tensor) -> Tensor:
        """What is (T, W, ...) in the pass as (stop - start, ...)."""
        return values.flatten(0, 1) if self.real is None else values[self.real]


def packs(counts: Sequence[int], pixels: int, *, whole: bool, most: int = PASS_PIXELS) -> Iterator[Pack]:
    """Passes over all points, which lie task by task, ``counts`` of each, of so many ``pixels``.

    ``whole``: a task must not be spread over several passes. ``most``: pixels of a pass.
    """
    start = 0
    spare = SPARE_PIXELS * most // PASS_PIXELS // pixels
    for first, sizes in _runs(counts, max(FEW, most // pixels), spare, whole=whole):
        yield _pack(first, sizes, start)
        start += sum(sizes)


def _runs(counts: Sequence[int], most: int, spare: int, *, whole: bool) -> Iterator[tuple[int, list[int]]]:
    """The first task of each pass, and how many points it has of this one and those after it."""
    first, run = 0, []
    for task, count in enumerate(counts):
        size = (len(run) + 1) * max([*run, count])
        joined = sum(run) + count
        if run and (not count or size > most or size - joined > spare * len(run)):
            yield first, run
            run = []
        if not count:
            continue
        first = first if run else task
        if count > most and not whole:
            parts = -(-count // most)
            for k in range(parts):
                yield task, [count * (k + 1) // parts - count * k // parts]
        else:
            run = [*run, count]
    if run:
        yield first, run


def _pack(first: int, sizes: list[int], start: int) -> Pack:
    total, width = sum(sizes), max(sizes)
    tasks = slice(first, first + len(sizes))
    if total == len(sizes) * width:
        points = torch.arange(start, start + total).view(len(sizes), width)
        return Pack(tasks, points, None, start, start + total)
    size = torch.tensor(sizes)[:, None]
    along = torch.arange(width)
    offset = start + size.cumsum(0) - size
    return Pack(tasks, offset + along.minimum(size - 1), along < size, start, start + total)
