"""Linear heads, which several adaptations and methods fit."""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from robustmeta.core import Head
from robustmeta.functional.prototypes import lower_absent

Scalar = float | Float[Tensor, ""]


@dataclass(eq=False)
class LinearScores:
    """Logits α Wᵀ z + β without an intercept a class; a class without support stands below all others."""

    weight: Float[Tensor, "T D way"]
    counts: Int[Tensor, "T way"]
    scale: Scalar = 1.0
    shift: Scalar = 0.0
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        return lower_absent(self.scale * (z @ self.weight) + self.shift, self.counts)

    def select(self, tasks: slice) -> "LinearScores":
        """The head of some of the tasks."""
        return LinearScores(self.weight[tasks], self.counts[tasks], self.scale, self.shift)


@dataclass(eq=False)
class OnSphere:
    """A head on (z − μ) / ‖z − μ‖, with one μ (D,) for all tasks."""

    head: Head
    centre: float | Float[Tensor, " D"] = 0.0
    coupled: bool = False

    def __post_init__(self) -> None:
        self.coupled = self.head.coupled

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        return self.head(F.normalize(z - self.centre, dim=-1))

    def select(self, tasks: slice) -> "OnSphere":
        """The head of some of the tasks."""
        return OnSphere(self.head.select(tasks), self.centre)
