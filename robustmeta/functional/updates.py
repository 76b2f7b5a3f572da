"""Update rules with momentum, for parameters of many tasks at once, and the batches that they are fed."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from robustmeta.functional.inner_loop import Params, root
from robustmeta.rng import Rng


def momentum_sgd(
    rate: float, momentum: float = 0.0, dampening: float = 0.0, decay: float = 0.0
) -> Callable[[Params, Params, Params | None], tuple[Params, Params | None]]:
    """Gradient steps as ``torch.optim.SGD`` takes them; the state is None before the first.

    g ← g + decay · φ;  b ← g at first, then momentum · b + (1 − dampening) · g;  φ ← φ − rate · b
    """

    def update(params: Params, gradients: Params, state: Params | None) -> tuple[Params, Params | None]:
        moved = {k: gradients[k].add(p, alpha=decay) for k, p in params.items()}
        if momentum and state is not None:
            moved = {k: (momentum * state[k]).add(g, alpha=1 - dampening) for k, g in moved.items()}
        return {k: p.sub(moved[k], alpha=rate) for k, p in params.items()}, moved if momentum else None

    return update


MomentumAdamState = tuple[Params, Params, int]
"""First and second moments, and how many updates they average."""


def momentum_adam(
    rate: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
) -> Callable[[Params, Params, MomentumAdamState | None], tuple[Params, MomentumAdamState]]:
    """Adam (Kingma and Ba 2015, algorithm 1); the state is None before the first step.

    φ ← φ − rate · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
    """

    def update(params: Params, gradients: Params, state: MomentumAdamState | None) -> tuple[Params, MomentumAdamState]:
        zero = {k: torch.zeros_like(p) for k, p in params.items()}
        first, second, count = state or (zero, zero, 0)
        count += 1
        first = {k: beta1 * m + (1 - beta1) * gradients[k] for k, m in first.items()}
        second = {k: beta2 * v + (1 - beta2) * gradients[k].square() for k, v in second.items()}
        size, whole = rate / (1 - beta1**count), (1 - beta2**count) ** 0.5
        moved = {k: p - size * first[k] / (root(second[k]) / whole + eps) for k, p in params.items()}
        return moved, (first, second, count)

    return update


def epoch_batches(rng: Rng, images: int, batch: int, epochs: int) -> list[Int[Tensor, "T B"]]:
    """Rows of every mini-batch of so many passes through a task's images, each pass in a new order.

    The last batch of a pass holds what is left. ``rng`` has one key a task.
    """
    return [rows for _ in range(epochs) for rows in rng.permutation(images).split(batch, -1)]
