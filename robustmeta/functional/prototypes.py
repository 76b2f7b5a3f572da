"""Class means as classifiers."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

ABSENT = 16.0
"""How far below the lowest logit that of a class without support stands: finite, about e⁻¹⁶ in probability."""


def prototypes(
    z: Float[Tensor, "T S D"], y: Int[Tensor, "T S"], way: int
) -> tuple[Float[Tensor, "T way D"], Int[Tensor, "T way"]]:
    """Class means and the images they average: c_k = (1/|S_k|) Σ z_i (Snell et al. 2017, eq. 1)."""
    onehot = F.one_hot(y, way).to(z.dtype)
    counts = onehot.sum(1)
    return onehot.mT @ z / counts.clamp(min=1)[..., None], counts.long()


def negative_squared_distances(
    z: Float[Tensor, "T Q D"], centres: Float[Tensor, "T way D"]
) -> Float[Tensor, "T Q way"]:
    """Logits −‖z − c_k‖² (Snell et al. 2017, eq. 2 with the squared Euclidean distance)."""
    cross = z @ centres.mT
    return 2 * cross - z.square().sum(-1, keepdim=True) - centres.square().sum(-1)[:, None]


def lower_absent(logits: Float[Tensor, "T Q way"], counts: Int[Tensor, "T way"]) -> Float[Tensor, "T Q way"]:
    """Put the classes that the support lacks below all others."""
    floor = logits.amin(-1, keepdim=True).detach() - ABSENT
    return logits.where(counts[:, None] > 0, floor)
