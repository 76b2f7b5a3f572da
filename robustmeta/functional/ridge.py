"""Ridge regression for many tasks at once."""

import torch
from jaxtyping import Float
from torch import Tensor

from robustmeta.functional.cholesky import cholesky


def ridge_regression(
    z: Float[Tensor, "T S D"], targets: Float[Tensor, "T S K"], ridge: float | Float[Tensor, ""]
) -> Float[Tensor, "T D K"]:
    """W = Zᵀ (Z Zᵀ + λ I)⁻¹ Y, the minimiser of ‖Z W − Y‖² + λ ‖W‖² (Bertinetto et al. 2019, eq. 4).

    Solved in the dual, S x S, by Cholesky's factorisation in float64; differentiable in all of it. ``ridge`` is λ > 0.
    There is no intercept. Features that are not finite give weights that are not.
    """
    x = z.double()
    gram = x @ x.mT + ridge * torch.eye(z.shape[1], dtype=x.dtype, device=x.device)
    dual = torch.cholesky_solve(targets.double(), cholesky(gram))
    return (x.mT @ dual).to(z.dtype)
