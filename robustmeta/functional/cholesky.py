"""Cholesky's factorisation without exceptions, for batches in which one task may have diverged."""

import torch
from jaxtyping import Float
from torch import Tensor


def cholesky(matrix: Float[Tensor, "*T S S"]) -> Float[Tensor, "*T S S"]:
    """The lower factor L with L Lᵀ = A; NaN where A is not positive definite or not finite. Differentiable."""
    factor, info = torch.linalg.cholesky_ex(matrix)
    return factor.masked_fill((info != 0)[..., None, None], torch.nan)
