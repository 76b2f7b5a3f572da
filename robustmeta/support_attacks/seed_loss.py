"""The loss that attacks on a support climb: that of seed queries, of the learner adapted to it."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustmeta.core import CellError, Held, Victim
from robustmeta.functional.inner_loop import task_losses


class Slope(NamedTuple):
    """The mean loss of each task's seeds, and ∇ of it by the support's pixels; ``there``: whether there is a graph."""

    loss: Float[Tensor, " T"]
    gradient: Float[Tensor, "T S C H W"]
    there: bool


def seed_losses(
    victim: Victim, x: Float[Tensor, "T S C H W"], y: Int[Tensor, "T S"], seed: tuple[Tensor, Tensor]
) -> Float[Tensor, " T"]:
    """The mean cross-entropy of each task's seeds after adapting to a support, without a graph."""
    with torch.no_grad():
        return _finite(task_losses(victim(x, y)(seed[0]), seed[1]), "loss")


def relearn(
    victim: Victim, support_x: Float[Tensor, "S C H W"], seed_x: Float[Tensor, "R C H W"], y: Int[Tensor, "K S"]
) -> Float[Tensor, "K R way"]:
    """Logits of the seeds of the victim's first task after adapting to its images anew with each row of labels."""
    n = len(y)
    with torch.no_grad():
        adapted = victim.select(np.zeros(n, np.int64))(support_x.expand(n, *support_x.shape), y)
        return adapted(seed_x.expand(n, *seed_x.shape))


def held_losses(held: Held, y: Int[Tensor, "K S"], seed_y: Int[Tensor, " R"]) -> Float[Tensor, " K"]:
    """The mean cross-entropy of the seeds after adapting to each row of labels."""
    return _finite(task_losses(held(y), seed_y.expand(len(y), -1)), "loss")


def seed_slope(
    victim: Victim, x: Float[Tensor, "T S C H W"], y: Int[Tensor, "T S"], seed: tuple[Tensor, Tensor]
) -> Slope:
    """The same with its gradient through the adaptation, which is 0 where no graph leads there.

    Raises:
        CellError: one of the two is not finite.
    """
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        loss = task_losses(victim(leaf, y)(seed[0]), seed[1])
        if not loss.requires_grad:
            return Slope(_finite(loss, "loss"), torch.zeros_like(x), there=False)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf, materialize_grads=True)
    return Slope(_finite(loss.detach(), "loss"), _finite(gradient, "gradient by the support"), there=True)


def _finite(value: Tensor, what: str) -> Tensor:
    if not torch.isfinite(value).all():
        raise CellError(
            f"the {what} of the seed queries is not finite; the adaptation to the attacked support diverged"
        )
    return value
