"""A classifier by cosine similarity to class vectors."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CosineClassifier(nn.Module):
    """Logits s · cos(z, w_k), with class vectors w_k drawn from ±1/√D and a fixed scale s."""

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.weight = nn.Parameter((torch.rand(classes, features) * 2 - 1) / features**0.5)

    def forward(self, z: Tensor) -> Tensor:
        """(N, D) -> (N, classes)."""
        return self.scale * (F.normalize(z, dim=-1) @ F.normalize(self.weight, dim=-1).T)
