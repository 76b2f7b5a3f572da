"""Heads that solve for their weights, with a few learned numbers beside the solver."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.core import Head
from robustmeta.functional.ridge import ridge_regression
from robustmeta.functional.svm import support_vector_machine
from robustmeta.heads.linear import LinearScores
from robustmeta.nets import ContextHead


class RidgeHead(ContextHead):
    """Ridge regression on one-hot labels: logits α zᵀ W + β with W the optimum under λ; α, β and log λ are learned.

    β moves all logits alike, so that cross-entropy leaves it where it starts, at 0.
    """

    def __init__(self, ridge: float, scale: float) -> None:
        super().__init__()
        self.log_ridge = nn.Parameter(torch.tensor(math.log(ridge)))
        self.scale = nn.Parameter(torch.tensor(scale))
        self.shift = nn.Parameter(torch.tensor(0.0))

    def fit(self, z: Tensor, y: Tensor, way: int) -> Head:
        """The optimum for (T, S, D), differentiable in z and λ."""
        labels = F.one_hot(y, way)
        weight = ridge_regression(z, labels.to(z.dtype), self.log_ridge.exp())
        return LinearScores(weight, labels.sum(1), self.scale, self.shift)


class SvmHead(ContextHead):
    """The multi-class support vector machine of Crammer and Singer: logits γ zᵀ W; γ is learned, C is not."""

    def __init__(self, c: float, scale: float) -> None:
        super().__init__()
        self.c = c
        self.scale = nn.Parameter(torch.tensor(scale))

    def fit(self, z: Tensor, y: Tensor, way: int) -> Head:
        """The optimum for (T, S, D), differentiable in z."""
        return LinearScores(support_vector_machine(z, y, way, self.c), F.one_hot(y, way).sum(1), self.scale)
