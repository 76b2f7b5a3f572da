"""Where a component under test draws from."""

import random
from typing import Self

import numpy as np
import torch

from robustmeta.rng import Keys, Rng


class Spy(Rng):
    """An Rng that notes in ``seen`` the streams that it and its children draw from."""

    seen: set[tuple[object, ...]]

    def __init__(self, keys: Keys) -> None:
        super().__init__(0, ("check",), keys)
        self.seen = set()

    def child(self, *stream: object) -> Self:
        """A spy on a longer stream that notes in the same place."""
        made = super().__new__(type(self))
        Rng.__init__(made, self.seed, (*self.stream, *stream), self.keys)
        made.seen = self.seen
        return made

    def _next(self) -> Keys:
        self.seen.add(self.stream)
        return super()._next()


def global_state() -> tuple[object, ...]:
    """The states of the generators that belong to everybody: torch's, NumPy's and Python's."""
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return torch.get_rng_state().numpy().tobytes(), name, np.asarray(keys).tobytes(), *rest, random.getstate()
