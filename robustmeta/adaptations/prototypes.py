"""Nearest class mean."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.prototypes import lower_absent, negative_squared_distances, prototypes
from robustmeta.rng import Rng


@dataclass(eq=False)
class Centres:
    """Logits are negative squared distances to class means; a class without support stands below all others."""

    centres: Float[Tensor, "T way D"]
    counts: Int[Tensor, "T way"]
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        return lower_absent(negative_squared_distances(z, self.centres), self.counts)

    def select(self, tasks: slice) -> "Centres":
        """The centres of some of the tasks."""
        return Centres(self.centres[tasks], self.counts[tasks])


@component("prototypes", paper="Snell et al. 2017, Prototypical Networks for Few-shot Learning, equations 1 and 2")
class Prototypes(FixedFeatures):
    """Logits −‖f(x) − c_k‖² with c_k the mean feature of class k's support."""

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """Class means of (T, S, D)."""
        return Centres(*prototypes(z, y, way))
