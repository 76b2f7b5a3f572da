"""Attention over a support set as a classifier."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def cosine_similarities(z: Float[Tensor, "T Q D"], support: Float[Tensor, "T S D"]) -> Float[Tensor, "T Q S"]:
    """c(z, z_i) = zᵀ z_i / (‖z‖ ‖z_i‖), in [−1, 1]."""
    return F.normalize(z, dim=-1) @ F.normalize(support, dim=-1).mT


def attend(scores: Float[Tensor, "T Q S"], y: Int[Tensor, "T S"], way: int) -> Float[Tensor, "T Q way"]:
    """Logits log P(k | z) = log Σ_{i: y_i = k} a_i,  a = softmax over i of scores (Vinyals et al. 2016, eq. 1).

    A class with more images has more terms. One without any gets 0, the highest value, so that it changes neither the
    lowest logit nor a gradient: put it below the others by ``prototypes.lower_absent``.
    """
    member = F.one_hot(y, way).bool()
    counted = (member | ~member.any(1, keepdim=True)).mT  # (T, way, S)
    weights = scores.log_softmax(-1)[:, :, None]
    return weights.masked_fill(~counted[:, None], -float("inf")).logsumexp(-1)
