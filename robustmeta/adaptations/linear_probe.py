"""Logistic regression on frozen features."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.logistic import logistic_regression
from robustmeta.rng import Rng


@dataclass(eq=False)
class UnitLinear:
    """Logits W z / ‖z‖ + b."""

    weight: Float[Tensor, "T way D"]
    bias: Float[Tensor, "T way"]
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        return F.normalize(z, dim=-1) @ self.weight.mT + self.bias[:, None]

    def select(self, tasks: slice) -> "UnitLinear":
        """The head of some of the tasks."""
        return UnitLinear(self.weight[tasks], self.bias[tasks])


@component("linear_probe", version=2, paper="Tian et al. 2020, Rethinking Few-Shot Image Classification, section 3.3")
class LinearProbe(FixedFeatures):
    """Multinomial logistic regression on features of unit length, exactly solved for all tasks together.

    ``c`` is the inverse regularisation of scikit-learn's LogisticRegression(C); the intercept is not regularised.
    """

    c: float = Field(default=10.0, gt=0, le=1e4)

    grid: ClassVar[dict[str, tuple[Any, ...]]] = {"c": (1.0, 10.0, 100.0)}

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """The optimum for (T, S, D)."""
        return UnitLinear(*logistic_regression(F.normalize(z, dim=-1), y, way, self.c))
