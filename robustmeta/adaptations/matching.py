"""Attention over the support."""

from dataclasses import dataclass, replace
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.attention import attend, cosine_similarities
from robustmeta.functional.prototypes import lower_absent, negative_squared_distances
from robustmeta.rng import Rng

Distance = Literal["cosine", "l2"]

KERNELS = {"cosine": cosine_similarities, "l2": negative_squared_distances}
"""Scores (T, Q, S) of queries against a support, before the softmax."""


@dataclass(eq=False)
class Attention:
    """Logits are log-probabilities: the attention that a query pays to each class's support."""

    support: Float[Tensor, "T S D"]
    y: Int[Tensor, "T S"]
    way: int
    distance: Distance
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        logits = attend(KERNELS[self.distance](z, self.support), self.y, self.way)
        return lower_absent(logits, F.one_hot(self.y, self.way).sum(1))

    def select(self, tasks: slice) -> "Attention":
        """The head of some of the tasks."""
        return replace(self, support=self.support[tasks], y=self.y[tasks])


@component("matching", paper="Vinyals et al. 2016, Matching Networks for One Shot Learning, equation 1")
class Matching(FixedFeatures):
    """P(k | x) = Σ_{i: yᵢ = k} softmaxᵢ c(f(x), f(xᵢ)), every support image with its own weight.

    ``distance``: c is the cosine, as published, or −‖f(x) − f(xᵢ)‖² (``l2``). No full context embeddings: f sees one
    image. Classes with more support images start with more weight.
    """

    distance: Distance = "cosine"

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """The support (T, S, D) itself."""
        return Attention(z, y, way, self.distance)
