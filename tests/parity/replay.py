"""A double of ``Rng`` that keeps what it gives, so that the peer can be handed the very same numbers."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from robustmeta.rng import Keys, Rng

Array = NDArray[Any]


class Replay(Rng):
    """Gives what an ``Rng`` gives. ``drawn`` lists each draw in order: the kind, and an array for all images.

    A draw that another draw is made of is not listed; children and parts share the list.
    """

    def __init__(self, seed: int, stream: Sequence[object], keys: Keys | Sequence[int]) -> None:
        super().__init__(seed, stream, keys)
        self.drawn: list[tuple[str, Array]] = []
        self._inside = False

    def child(self, *stream: object) -> Self:
        return self._sharing(super().child(*stream))

    def at(self, rows: Any) -> Self:
        return self._sharing(super().at(rows))

    def _sharing(self, other: Self) -> Self:
        other.drawn = self.drawn
        return other

    def of_image(self, i: int) -> list[Array]:
        """The draws of one image."""
        return [values[i] for _, values in self.drawn]

    def _keep(self, kind: str, draw: Any, *arguments: int) -> Any:
        if self._inside:
            return draw(*arguments)
        self._inside = True
        try:
            made = draw(*arguments)
        finally:
            self._inside = False
        self.drawn.append((kind, made.numpy().copy() if isinstance(made, torch.Tensor) else np.array(made)))
        return made

    def bits(self, n: int) -> Keys:
        return self._keep("bits", super().bits, n)

    def uniform(self, *shape: int) -> torch.Tensor:
        return self._keep("uniform", super().uniform, *shape)

    def normal(self, *shape: int) -> torch.Tensor:
        return self._keep("normal", super().normal, *shape)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        return self._keep("integers", super().integers, low, high, *shape)

    def permutation(self, n: int) -> torch.Tensor:
        return self._keep("permutation", super().permutation, n)
