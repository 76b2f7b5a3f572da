"""What can be seen of a classifier while it answers: wrong versions of a query, and gradients that it computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.overrides import TorchFunctionMode

from robustmeta.core import Classifier
from robustmeta.functional.honesty import PARTS
from robustmeta.functional.margins import margin

TIE = 1e-4
"""Part of the largest logit by which a query must be wrong, so that it is so in any other batch."""
BACKWARD = (torch.autograd.grad, torch.autograd.backward, Tensor.backward)


class Gradients(TorchFunctionMode):
    """Within it ``count`` is how often a gradient is computed, by torch.func too."""

    count = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Count, then call."""
        self.count += func in BACKWARD
        return func(*args, **(kwargs or {}))


class Log:
    """Which queries x (T, Q, C, H, W) of labels y (T, Q) a classifier has got wrong in some version within ε.

    A version belongs to the nearest query of its task. ``most`` (T,): of a coupled classifier, the largest number of
    wrong queries in one version of a task's whole set.
    """

    def __init__(self, x: Tensor, y: Tensor, norm: str, eps: float) -> None:
        self.x, self.y, self.part, self.eps = x, y, PARTS[norm], eps
        self.fallen = torch.zeros_like(y, dtype=torch.bool)
        self.most = torch.zeros_like(y[:, 0])

    def note(self, tasks: Int[Tensor, " t"], x: Float[Tensor, "t W C H W"], z: Float[Tensor, "t W way"]) -> None:
        """Note versions of queries of some tasks, each with its logits."""
        clean, labels = self.x[tasks], self.y[tasks]
        owner = torch.cdist(x.flatten(2), clean.flatten(2)).argmin(-1)
        row = torch.arange(len(tasks))[:, None]
        wrong = self._wrong(z, labels[row, owner]) & self._within(x, clean[row, owner])
        self.fallen[tasks[:, None].expand_as(owner)[wrong], owner[wrong]] = True

    def note_set(self, tasks: Int[Tensor, " t"], x: Float[Tensor, "t Q C H W"], z: Float[Tensor, "t Q way"]) -> None:
        """Note whole sets of coupled queries."""
        allowed = self._within(x, self.x[tasks]).all(1)
        count = self._wrong(z, self.y[tasks]).sum(1) * allowed
        self.most[tasks] = torch.maximum(self.most[tasks], count)

    def _wrong(self, z: Tensor, y: Tensor) -> Bool[Tensor, "t W"]:
        beyond = margin(z.flatten(0, 1), y.flatten()).view_as(y)
        return beyond > TIE * z.abs().amax(-1)

    def _within(self, x: Tensor, clean: Tensor) -> Bool[Tensor, "t W"]:
        inside = (x.flatten(2).amin(-1) >= 0) & (x.flatten(2).amax(-1) <= 1)
        return inside & (self.part(x - clean, self.eps) <= 1)


@dataclass(eq=False)
class Watched:
    """The same classifier; every version of a query that it answers is noted."""

    inner: Classifier
    log: Log
    tasks: Int[Tensor, " T"]
    coupled: bool = False

    def __post_init__(self) -> None:
        self.coupled = self.inner.coupled

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q way"]:
        """Its logits."""
        z = self.inner(x)
        with torch.no_grad():
            (self.log.note_set if self.coupled else self.log.note)(self.tasks, x.detach(), z.detach())
        return z

    def select(self, tasks: slice) -> "Watched":
        """The classifier of some of the tasks."""
        return Watched(self.inner.select(tasks), self.log, self.tasks[tasks])
