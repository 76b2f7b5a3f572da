"""A linear support vector machine on frozen features."""

from typing import Any, ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.svm import support_vector_machine
from robustmeta.heads.linear import LinearScores, OnSphere
from robustmeta.rng import Rng


@component(
    "svm", paper="Crammer and Singer 2001, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines"
)
class Svm(FixedFeatures):
    """The multi-class machine of Crammer and Singer on features of unit length, without intercepts.

    ``c`` is that of scikit-learn's LinearSVC(C, multi_class="crammer_singer"); the dual is solved to a duality gap of
    about 1e-10 of the objective. Logits are ``scale`` times its scores, which moves probabilities, never the predicted
    class.
    """

    c: float = Field(default=1.0, gt=0, le=1e4)
    scale: float = Field(default=10.0, gt=0)

    grid: ClassVar[dict[str, tuple[Any, ...]]] = {"c": (0.1, 1.0, 10.0)}

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """The optimum for (T, S, D)."""
        weight = support_vector_machine(F.normalize(z, dim=-1), y, way, self.c)
        return OnSphere(LinearScores(weight, F.one_hot(y, way).sum(1), self.scale))
