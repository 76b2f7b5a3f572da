"""The classifiers that adaptations return: a network under each task's parameters, or features, then a head."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustmeta.core import Head
from robustmeta.functional.inner_loop import Params, per_task
from robustmeta.functional.normalise import Statistics
from robustmeta.nets import Mode


@dataclass(eq=False)
class NoHead:
    """The head of a network that gives logits itself."""

    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q way"]) -> Float[Tensor, "T Q way"]:
        """The same logits."""
        return z

    def select(self, tasks: slice) -> "NoHead":
        """Itself."""
        return self


@dataclass(eq=False)
class OnFeatures:
    """A head on features (N, C, H, W) -> (N, D) that need no other image."""

    embed: Callable[[Tensor], Tensor]
    head: Head
    coupled: bool = False

    def __post_init__(self) -> None:
        self.coupled = self.head.coupled

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q way"]:
        """Logits; differentiable in x."""
        return self.head(self.embed(x.flatten(0, 1)).unflatten(0, x.shape[:2]))

    def select(self, tasks: slice) -> "OnFeatures":
        """The classifier of some of the tasks."""
        return OnFeatures(self.embed, self.head.select(tasks))


@dataclass(eq=False)
class TaskNetwork:
    """A classifier for T tasks.

    Attributes:
        shared, own: parameters of ``net`` that all tasks share, and those with a leading T.
        mode: whose statistics normalise a query.
        support_x: (T, S, C, H, W), for statistics that need it.
        given: the support's statistics with a leading T, used in mode ``auto``.
        head: what turns the network's outputs into logits.
        step: how many inner steps the parameters have taken, which counts in mode ``per_step``.
    """

    net: nn.Module
    shared: Params
    own: Params
    mode: Mode
    support_x: Float[Tensor, "T S C H W"]
    given: Statistics
    head: Head
    step: int = 0
    coupled: bool = False

    def __post_init__(self) -> None:
        self.coupled = self.mode == "batch" or self.head.coupled

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q way"]:
        """Logits; differentiable in x."""
        return self.head(self._outputs(x))

    def _outputs(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q D"]:
        if self.mode == "batch":
            return per_task(self.net, self.shared, self.own, x)[0]
        if self.mode == "support_plus_one":
            return torch.cat([self._with_support(q) for q in x.split(1, 1)], 1)
        if self.mode == "per_step":
            return per_task(self.net, self.shared, self.own, x, running=True, step=self.step)[0]
        return per_task(self.net, self.shared, self.own, x, self.given)[0]

    def _with_support(self, query: Float[Tensor, "T 1 C H W"]) -> Float[Tensor, "T 1 D"]:
        both = torch.cat([self.support_x, query], 1)
        return per_task(self.net, self.shared, self.own, both)[0][:, -1:]

    def select(self, tasks: slice) -> "TaskNetwork":
        """The classifier of some of the tasks."""
        given = {k: (m[tasks], v[tasks]) for k, (m, v) in self.given.items()}
        own = {k: p[tasks] for k, p in self.own.items()}
        return replace(self, own=own, support_x=self.support_x[tasks], given=given, head=self.head.select(tasks))
