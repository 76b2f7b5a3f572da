"""What MAML and its descendants share: a start that is trained through the steps taken from it."""

from abc import ABC
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.gradient import Gradient, spread, support_losses, whole, with_support_statistics
from robustmeta.config.components import Adaptation, Apart, Backbone, Diet
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.functional.inner_loop import Params, descend, per_task, query_gradients, sgd, task_losses
from robustmeta.functional.normalise import Statistics
from robustmeta.methods.training import Episodic, adam, expect
from robustmeta.nets import Layers, Network, as_network
from robustmeta.rng import Rng

Order = Literal[1, 2]


class Descending(Episodic, ABC):
    """Weights from which ``inner_steps`` steps of −inner_rate · ∇L_support lead to weights φ that classify the query.

    The query is normalised with the statistics of the support under φ, under ``norm: batch`` with its own (no running
    averages are kept then: nothing reads them); in training ``support_plus_one`` is as ``auto``, and under ``per_step``
    every pass uses its own statistics, which the running ones of its step follow. Weights and biases of normalisation
    adapt as all others do.
    """

    family: ClassVar[str] = "gradient-based"
    apart: ClassVar[Apart] = "always"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=True, embeds=False)
    layers: ClassVar[Layers] = "all"

    train: Diet = Diet(way=5, shot=5, query=5, tasks=4)
    inner_steps: int = Field(default=1, ge=1, le=1000)
    inner_rate: float = Field(default=0.4, gt=0)
    rate: float = Field(default=3e-3, gt=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes."""
        return Network(backbone.build(size, channels), self.train.way, inner_steps=self.inner_steps)

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Adam."""
        return adam(net, self.rate)

    def order_at(self, progress: float) -> Order:
        """2 = the gradient by θ, through the inner steps; 1 = the gradient by φ, as if it were that by θ."""
        return 2

    def importance(self, progress: float) -> Sequence[float]:
        """What the query's loss counts after each inner step."""
        return [*[0.0] * (self.inner_steps - 1), 1.0]

    def update(self, network: Network) -> tuple[Callable[[Params, Params, Any], tuple[Params, Any]], Any]:
        """The law of an inner step, with the state that it starts from."""
        return sgd(self.inner_rate), None

    def recomputes(self) -> bool:
        """Whether inner steps are computed again where they are differentiated, which saves memory."""
        return False

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The meta-gradient of the mean query loss over the tasks."""
        tasks, network = expect(batch, Tasks), as_network(net)
        seen: dict[int, Statistics] = {}
        trail = self._trail(network, tasks, self.order_at(progress), seen)
        counted = [(k, phi, w) for k, (phi, w) in enumerate(zip(trail, self.importance(progress), strict=True), 1) if w]
        value, ends, slopes, last = 0.0, list[Tensor](), list[Tensor](), Statistics()
        for k, phi, weight in counted:
            losses = partial(_query_losses, network, tasks, k)
            scale = weight / len(tasks.query_y)
            loss, last, gradients = query_gradients(losses, phi, tasks.query_x, scale)
            value += weight * loss.mean().item()
            ends += phi.values()
            slopes += gradients.values()
        torch.autograd.backward(ends, slopes)
        for k, statistics in (seen | {self.inner_steps: last}).items():
            network.follow(statistics, step=k)
        support, query = tasks.support_y.numel(), tasks.query_y.numel()
        again = network.mode not in ("batch", "per_step")
        return StepStats(value, support * self.inner_steps + len(counted) * (query + again * support))

    def _trail(self, network: Network, tasks: Tasks, order: Order, seen: dict[int, Statistics]) -> list[Params]:
        """φ₁, φ₂, ... with a leading T, as functions of the network's parameters."""
        x, y = tasks.support_x, tasks.support_y
        per_step = network.mode == "per_step"
        losses = support_losses(network, {}, x, y, whole(y, self.inner_steps), seen=seen if per_step else None)
        start = spread(dict(network.live_parts(self.layers)[1]), len(x))
        update, state = self.update(network)
        trail: list[Params] = []
        descend(losses, start, update, state, self.inner_steps, order, trail=trail, recompute=self.recomputes())
        return trail

    def passes(self) -> int:
        """Every support image at each inner step, and with each query counted once more for its statistics.

        ``norm: batch`` and ``per_step`` save the passes for statistics.
        """
        d = self.train
        counted = sum(w > 0 for w in self.importance(0.0))
        return d.tasks * d.way * (d.shot * self.inner_steps + counted * (d.shot + d.query))

    def adaptation(self) -> Adaptation:
        """The same inner steps."""
        return Gradient(steps=self.inner_steps, rate=self.inner_rate, layers=self.layers)


def _query_losses(network: Network, tasks: Tasks, step: int, params: Params, rows: slice) -> tuple[Tensor, Statistics]:
    """The query losses of some tasks under their parameters after so many steps, and what the averages follow."""
    x, y = tasks.query_x[rows], tasks.query_y[rows]
    if network.mode in ("batch", "per_step"):
        record = network.mode == "per_step"
        logits, statistics = per_task(network, {}, params, x, record=record, step=step)
        return task_losses(logits, y), statistics
    classifier = with_support_statistics(network, "auto", {}, params, tasks.support_x[rows])
    return task_losses(classifier(x), y), classifier.given
