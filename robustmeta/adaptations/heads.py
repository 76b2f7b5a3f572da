"""Heads on features that are trained by gradient steps on the support."""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from robustmeta.rng import Rng


def uniform_start(rng: Rng, way: int, features: int) -> tuple[Float[Tensor, "T way D"], Float[Tensor, "T way"]]:
    """Weights and intercepts drawn from ±1/√D, as those of a new ``torch.nn.Linear`` are; ``rng`` has a key a task."""
    drawn = (rng.uniform(way, features + 1) * 2 - 1) / features**0.5
    return drawn[..., :-1], drawn[..., -1]


@dataclass(eq=False)
class Linear:
    """Logits W z + b."""

    weight: Float[Tensor, "T way D"]
    bias: Float[Tensor, "T way"]
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        return z @ self.weight.mT + self.bias[:, None]

    def select(self, tasks: slice) -> "Linear":
        """The head of some of the tasks."""
        return Linear(self.weight[tasks], self.bias[tasks])


@dataclass(eq=False)
class Cosine:
    """Logits s · cos(z, w_k)."""

    weight: Float[Tensor, "T way D"]
    scale: Float[Tensor, " T"]
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        return self.scale[:, None, None] * (F.normalize(z, dim=-1) @ F.normalize(self.weight, dim=-1).mT)

    def select(self, tasks: slice) -> "Cosine":
        """The head of some of the tasks."""
        return Cosine(self.weight[tasks], self.scale[tasks])
