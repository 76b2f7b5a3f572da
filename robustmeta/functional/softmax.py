"""Gradients of the softmax cross-entropy of classifiers on features, for many tasks at once, in closed form."""

from jaxtyping import Float
from torch import Tensor


def residuals(logits: Float[Tensor, "T B way"], onehot: Float[Tensor, "T B way"]) -> Float[Tensor, "T B way"]:
    """The gradient of each task's mean cross-entropy by its logits: (softmax − onehot) / B."""
    p = logits.softmax(-1)
    p = p.clone() if p.requires_grad else p  # its own gradient needs it as it is
    return p.sub_(onehot).div_(onehot.shape[1])


def linear_slope(
    weight: Float[Tensor, "T way D"], z: Float[Tensor, "T B D"], onehot: Float[Tensor, "T B way"]
) -> Float[Tensor, "T way D"]:
    """∇_W of the mean cross-entropy of logits W z."""
    return residuals(z @ weight.mT, onehot).mT @ z


def cosine_slopes(
    weight: Float[Tensor, "T way D"],
    scale: Float[Tensor, " T"],
    z: Float[Tensor, "T B D"],
    onehot: Float[Tensor, "T B way"],
) -> tuple[Float[Tensor, "T way D"], Float[Tensor, " T"]]:
    """∇_W and ∇_s of the mean cross-entropy of logits s · zᵀw / ‖w‖, where z has unit length.

    With v the slope by ŵ = w / ‖w‖, that by w is (v − (vᵀŵ) ŵ) / ‖w‖.
    """
    length = weight.norm(dim=-1, keepdim=True)
    unit = weight / length
    cosine = z @ unit.mT
    residual = residuals(scale[:, None, None] * cosine, onehot)
    slope = scale[:, None, None] * residual.mT @ z
    return (slope - (slope * unit).sum(-1, keepdim=True) * unit) / length, (residual * cosine).sum((1, 2))
