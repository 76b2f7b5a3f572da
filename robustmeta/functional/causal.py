"""Layers of which no step looks at a later one (Mishra et al. 2018, section 3)."""

import torch
from jaxtyping import Float
from torch import Tensor


def delayed(x: Float[Tensor, "T S C"], by: int) -> Float[Tensor, "T S C"]:
    """The x of ``by`` steps before; zero where there was none."""
    start = torch.zeros_like(x[:, :by])
    return torch.cat([start, x[:, : max(0, x.shape[1] - by)]], 1)


def step_back(past: Float[Tensor, "T S C"], by: int, like: Float[Tensor, "T Q C"]) -> Float[Tensor, "T Q C"]:
    """What ``delayed`` has at step S + 1, for Q different inputs at that step: it depends on none of them."""
    if by > past.shape[1]:
        return torch.zeros_like(like)
    return past[:, past.shape[1] - by, None].expand_as(like)


def gated(pair: Float[Tensor, "T S 2F"]) -> Float[Tensor, "T S F"]:
    """tanh(f) σ(g) of the two halves f and g (the activation of a dense block)."""
    f, g = pair.chunk(2, -1)
    return f.tanh() * g.sigmoid()


def attend(q: Float[Tensor, "T S K"], k: Float[Tensor, "T S K"], v: Float[Tensor, "T S V"]) -> Float[Tensor, "T S V"]:
    """softmax(q kᵀ / √K) v, where step t sees the steps up to t."""
    scores = q @ k.mT / k.shape[-1] ** 0.5
    later = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
    return scores.masked_fill(later, -torch.inf).softmax(-1) @ v


def attend_last(
    q: Float[Tensor, "T Q K"],
    k: Float[Tensor, "T Q K"],
    v: Float[Tensor, "T Q V"],
    past_k: Float[Tensor, "T S K"],
    past_v: Float[Tensor, "T S V"],
) -> Float[Tensor, "T Q V"]:
    """What ``attend`` has at step S + 1, for Q different inputs at it, each of which sees itself and the past."""
    scores = torch.cat([q @ past_k.mT, (q * k).sum(-1, keepdim=True)], -1) / k.shape[-1] ** 0.5
    weights = scores.softmax(-1)
    return weights[..., :-1] @ past_v + weights[..., -1:] * v
