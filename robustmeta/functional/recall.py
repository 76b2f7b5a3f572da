"""What networks remember of images that an attack changes a little at a time."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

MOST_BYTES = 2**28
"""Of the maps of one network; beyond nothing is remembered."""


@dataclass(eq=False)
class Memory:
    """A network's maps (N, P, Q, D) of images (N, C, H, W), NaN where there is none yet; ``last``: of new versions."""

    images: Tensor
    maps: Tensor
    last: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list[tuple[Tensor, Tensor, Tensor]])


class Recall:
    """Memories of N images. Within ``versions(ids)`` a network is asked about n images, versions of those numbered ids.

    A network may take what it remembers of image i for all that a version of it has in common with it. Whatever it
    takes it has compared: numbers that name the wrong images cost time and change nothing.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._memories: dict[object, Memory] = {}

    @contextmanager
    def versions(self, ids: Int[Tensor, " n"]) -> Generator[None]:
        """A question."""
        token = _NOW.set((self, ids))
        try:
            yield
        finally:
            _NOW.reset(token)

    def keep(self, ids: Int[Tensor, " k"]) -> None:
        """Remember, of these images, the version that was asked about since the last call; forget the others'."""
        chosen = torch.zeros(self.count, dtype=torch.bool)
        chosen[ids] = True
        for memory in self._memories.values():
            for asked_about, x, maps in memory.last:
                some = chosen[asked_about]
                memory.images[asked_about[some]], memory.maps[asked_about[some]] = x[some], maps[some]
            memory.last.clear()

    def of(self, owner: object) -> Memory | None:
        """The owner's memory, if it has one."""
        return self._memories.get(owner)

    def begin(self, owner: object, x: Float[Tensor, "n C H W"], shape: tuple[int, ...]) -> Memory:
        """A memory for maps of that shape (P, Q, D), of no images where these are too large."""
        count = self.count if 4 * self.count * torch.Size(shape).numel() <= MOST_BYTES else 0
        images, maps = (x.new_full((count, *s), torch.nan) for s in (x.shape[1:], shape))
        made = Memory(images, maps)
        self._memories[owner] = made
        return made


def asked() -> tuple[Recall, Tensor] | None:
    """The question that is being asked, and the numbers of its images."""
    return _NOW.get()


_NOW: ContextVar[tuple[Recall, Tensor] | None] = ContextVar("recall", default=None)
