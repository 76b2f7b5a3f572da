"""Model-agnostic meta-learning."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from robustmeta.adaptations.gradient import Gradient, spread, support_losses, whole, with_support_statistics
from robustmeta.config.components import Adaptation, Backbone, Diet, component
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.functional.inner_loop import descend, per_task, sgd, task_losses
from robustmeta.functional.normalise import Statistics
from robustmeta.methods.training import Episodic, adam, expect
from robustmeta.nets import Network, as_network
from robustmeta.rng import Rng


@component("maml", version=2, paper="Finn et al. 2017, Model-Agnostic Meta-Learning, algorithm 2")
class Maml(Episodic):
    """Learn weights from which a few gradient steps on a support set classify its queries.

        θ ← θ − outer · ∇_θ (1/T) Σᵢ L_query(φᵢ),   φᵢ = θ after ``inner_steps`` steps of −inner_rate · ∇L_support

    Fields: order, 2 differentiates through the inner steps, 1 (FOMAML) takes the gradient at φᵢ as if it were at θ;
    inner_rate, on the mean loss over the support (the authors' program sums over classes: its rate 0.4 at 5-way is 2.0
    here); rate, of the outer Adam, which falls to zero along a cosine. The query is normalised with the statistics of
    the support under φᵢ, under ``norm: batch`` with its own; in training ``support_plus_one`` is as ``auto``, and under
    ``per_step`` every pass uses its own statistics, which the running ones of its step follow.
    """

    family: ClassVar[str] = "gradient-based"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=True, embeds=False)

    train: Diet = Diet(way=5, shot=5, query=5, tasks=4)
    inner_steps: int = Field(default=1, ge=1, le=1000)
    inner_rate: float = Field(default=0.4, gt=0)
    order: Literal[1, 2] = 2
    rate: float = Field(default=3e-3, gt=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes."""
        return Network(backbone.build(size, channels), self.train.way, inner_steps=self.inner_steps)

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Adam."""
        return adam(net, self.rate)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The meta-gradient of the mean query loss over the tasks."""
        tasks, network = expect(batch, Tasks), as_network(net)
        x, y = tasks.support_x, tasks.support_y
        start = spread(dict(net.named_parameters()), len(x))
        seen: list[Statistics] = []
        per_step = network.mode == "per_step"
        rows = whole(y, self.inner_steps)
        losses = support_losses(net, {}, x, y, rows, seen=seen if per_step else None)
        adapted, _ = descend(losses, start, sgd(self.inner_rate), None, self.inner_steps, self.order)
        if per_step:
            logits, last = per_task(net, {}, adapted, tasks.query_x, record=True, step=self.inner_steps)
            seen.append(last)
        else:
            mode = "batch" if network.mode == "batch" else "auto"
            classifier = with_support_statistics(net, mode, {}, adapted, x)
            logits = classifier(tasks.query_x)
            seen.append(classifier.given)
        loss = task_losses(logits, tasks.query_y).mean()
        loss.backward()
        for k, statistics in enumerate(seen):
            network.follow(statistics, step=k)
        return StepStats(loss.item(), len(x) * self._passes(x.shape[1], tasks.query_x.shape[1]))

    def passes(self) -> int:
        """Every support image at each inner step and once more for its statistics, every query image once.

        ``norm: per_step`` saves the pass for statistics.
        """
        d = self.train
        return d.tasks * self._passes(d.way * d.shot, d.way * d.query)

    def _passes(self, support: int, query: int) -> int:
        return support * (self.inner_steps + 1) + query

    def adaptation(self) -> Adaptation:
        """The same inner steps."""
        return Gradient(steps=self.inner_steps, rate=self.inner_rate)
