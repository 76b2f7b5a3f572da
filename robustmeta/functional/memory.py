"""An external memory that is written where it is used least (Santoro et al. 2016, section 3)."""

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

TINY = 1e-6
"""The least length that a vector is divided by: an empty slot is similar to no key."""


class Memory(NamedTuple):
    """What N memories hold: C numbers in each of M slots; how each of R heads read last; how much each slot is used."""

    slots: Float[Tensor, "N M C"]
    read: Float[Tensor, "N R M"]
    usage: Float[Tensor, "N M"]


def empty(like: Float[Tensor, "N _"], heads: int, slots: int, size: int) -> Memory:
    """Memories without content that nothing has read, of the kind and number of ``like``."""
    n = len(like)
    return Memory(like.new_zeros(n, slots, size), like.new_zeros(n, heads, slots), like.new_zeros(n, slots))


def least_used(usage: Float[Tensor, "N M"], heads: int) -> Float[Tensor, "N R M"]:
    """One of the R least used slots for each head: their sum is wˡᵘ of eq. 6 with n = R.

    The first head has the least used; of two that are used alike the first slot counts as less. No gradient passes.
    """
    order = usage.detach().argsort(dim=-1, stable=True)[:, :heads]
    return F.one_hot(order, usage.shape[-1]).to(usage.dtype)


def write(memory: Memory, keys: Float[Tensor, "N R C"], gates: Float[Tensor, "N R"]) -> tuple[Tensor, Tensor]:
    """The slots (N, M, C) after each head has written its key, and the weights (N, R, M) that it wrote with.

    wʷₜ = g wʳₜ₋₁ + (1 − g) wˡᵘₜ₋₁ (eq. 7, g = σ(α)); the least used slots are emptied first, then
    Mₜ(i) = Mₜ₋₁(i) + wʷₜ(i) kₜ (eq. 8), summed over heads.
    """
    least = least_used(memory.usage, keys.shape[1])
    weights = gates[..., None] * memory.read + (1 - gates[..., None]) * least
    kept = memory.slots * (1 - least.sum(1))[..., None]
    return kept + weights.mT @ keys, weights


def read(slots: Float[Tensor, "N M C"], keys: Float[Tensor, "N R C"], sharpness: float) -> Float[Tensor, "N R M"]:
    """Read weights wʳ(i) = softmaxᵢ β K(k, M(i)), K the cosine similarity and β the sharpness, 1 in eqs. 2 and 3."""
    return (sharpness * F.normalize(keys, dim=-1, eps=TINY) @ F.normalize(slots, dim=-1, eps=TINY).mT).softmax(-1)


def access(
    memory: Memory, keys: Float[Tensor, "N R C"], gates: Float[Tensor, "N R"], decay: float, sharpness: float
) -> tuple[Float[Tensor, "N R C"], Memory]:
    """Write keys, then read with them: r = Σᵢ wʳ(i) M(i) (eq. 4), and wᵘₜ = γ wᵘₜ₋₁ + Σ (wʳₜ + wʷₜ) over heads (eq. 5).

    Args:
        memory: before the step.
        keys: what each head writes and looks for.
        gates: in [0, 1], 1 = write where the head read last, 0 = write to a least used slot.
        decay: γ.
        sharpness: β, of reading.
    """
    slots, written = write(memory, keys, gates)
    weights = read(slots, keys, sharpness)
    usage = decay * memory.usage + (weights + written).sum(1)
    return weights @ slots, Memory(slots, weights, usage)
