"""What heads that read a support set share: they read it once, then answer each query from what they remember."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from robustmeta.core import Head
from robustmeta.functional.prototypes import lower_absent
from robustmeta.nets import ContextHead

Remembered = tuple[Tensor, ...]
"""What is kept of the supports of T tasks; every tensor has a leading T."""


@dataclass(eq=False)
class HasRead:
    """A head after reading. No query changes what is remembered; a class without support stands below all others."""

    answer: Callable[[Tensor, Remembered], Tensor]
    remembered: Remembered
    counts: Int[Tensor, "T way"]
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        return lower_absent(self.answer(z, self.remembered), self.counts)

    def select(self, tasks: slice) -> "HasRead":
        """The head of some of the tasks."""
        return HasRead(self.answer, tuple(r[tasks] for r in self.remembered), self.counts[tasks])


class ReadingHead(ContextHead, ABC):
    """A head for ``way`` classes that is two functions: ``read`` the support set, then ``answer`` queries."""

    def __init__(self, way: int) -> None:
        super().__init__()
        self.way = way

    @abstractmethod
    def read(self, z: Tensor, y: Tensor) -> Remembered:
        """What is kept of supports (T, S, D) with labels (T, S)."""

    @abstractmethod
    def answer(self, z: Tensor, remembered: Remembered) -> Tensor:
        """Logits (T, Q, way) of queries (T, Q, D), each by itself."""

    def fit(self, z: Tensor, y: Tensor, way: int) -> Head:
        """The classifier of T tasks."""
        return HasRead(self.answer, self.read(z, y), F.one_hot(y, way).sum(1))

    def shown(self, z: Tensor, y: Tensor) -> Float[Tensor, "T S way"]:
        """Labels as the head sees them beside features z: one where the class is."""
        return F.one_hot(y, self.way).to(z.dtype)


class SequenceHead(ReadingHead, ABC):
    """A head that reads one image after another, and can be asked for its guess before it is shown the label."""

    @abstractmethod
    def guesses(self, z: Tensor, y: Tensor) -> Tensor:
        """Logits (T, L, way) at each image of sequences (T, L, D).

        They may depend on the images up to this one and on the labels (T, L) of those before it, and on nothing else.
        """
