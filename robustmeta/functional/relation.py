"""Pairs of class and query features, and the loss of their relation scores."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def class_sums(z: Float[Tensor, "T S D"], y: Int[Tensor, "T S"], way: int) -> Float[Tensor, "T way D"]:
    """The sum of the features of each class's support (Sung et al. 2018, section 3.2, K-shot); 0 without any."""
    return F.one_hot(y, way).to(z.dtype).mT @ z


def pairs(
    classes: Float[Tensor, "T way D"], queries: Float[Tensor, "T Q D"], shape: tuple[int, int, int]
) -> Float[Tensor, "T*Q*way 2*C h w"]:
    """Feature maps (C, h, w) of each class above those of each query, for all pairs within a task (ibid., eq. 1)."""
    ways, images = classes.shape[1], queries.shape[1]
    left = classes[:, None].expand(-1, images, -1, -1)
    right = queries[:, :, None].expand(-1, -1, ways, -1)
    both = torch.stack([left, right], -2).flatten(0, 2)
    return both.reshape(-1, 2 * shape[0], *shape[1:])


def relation_losses(logits: Float[Tensor, "T Q way"], y: Int[Tensor, "T Q"]) -> Float[Tensor, " T"]:
    """The mean over all pairs of a task of (r − [the pair's classes agree])², r = σ(logit) (ibid., eq. 2)."""
    wanted = F.one_hot(y, logits.shape[-1]).to(logits.dtype)
    return (logits.sigmoid() - wanted).square().mean((1, 2))
