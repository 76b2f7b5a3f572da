"""Ridge regression on frozen features."""

from typing import Any, ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.ridge import ridge_regression
from robustmeta.heads.linear import LinearScores, OnSphere
from robustmeta.rng import Rng


@component("ridge", paper="Bertinetto et al. 2019, Meta-learning with Differentiable Closed-form Solvers, section 3.2")
class Ridge(FixedFeatures):
    """Regression on one-hot labels from features of unit length, exactly solved for all tasks together.

        W = argmin ‖Z W − Y‖² + ridge ‖W‖²,   logits = scale · zᵀ W

    ``scale`` moves probabilities, never the predicted class.
    """

    ridge: float = Field(default=1.0, gt=0)
    scale: float = Field(default=20.0, gt=0)

    grid: ClassVar[dict[str, tuple[Any, ...]]] = {"ridge": (0.1, 1.0, 10.0)}

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """The optimum for (T, S, D)."""
        labels = F.one_hot(y, way)
        weight = ridge_regression(F.normalize(z, dim=-1), labels.to(z.dtype), self.ridge)
        return OnSphere(LinearScores(weight, labels.sum(1), self.scale))
