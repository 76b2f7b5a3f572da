"""Reptile."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.gradient import Gradient, spread
from robustmeta.config.components import Adaptation, Backbone, Diet, Schedule, component
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.functional.inner_loop import Params, adam, descend, minibatches, per_task, task_losses
from robustmeta.methods.training import Episodic, expect
from robustmeta.nets import Network, as_network
from robustmeta.rng import Rng


@component(
    "reptile", version=2, paper="Nichol, Achiam and Schulman 2018, On First-Order Meta-Learning Algorithms, algorithm 2"
)
class Reptile(Episodic):
    """Move the weights towards those that training on each task ends at.

        θ ← θ + ε (1/T) Σᵢ (φᵢ − θ),   ε from ``meta_step`` to 0 along a line

    φᵢ = θ after ``inner_steps`` mini-batches of ``inner_batch`` with Adam, β₁ = 0, whose second moments carry over from
    task to task and step to step (so the tasks run one after another); mini-batches pass through the task without
    replacement and may span two passes. All ``train.shot`` images of a class are trained on; there is no query.
    Fields: inner_rate, of the inner Adam; test_steps and test_batch, of the native adaptation.
    """

    family: ClassVar[str] = "gradient-based"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=False, embeds=False)
    least_query: ClassVar[int] = 0
    schedule: ClassVar[Schedule] = "linear"

    train: Diet = Diet(way=5, shot=10, query=0, tasks=5)
    inner_steps: int = Field(default=5, ge=1, le=1000)
    inner_batch: int = Field(default=10, ge=1)
    inner_rate: float = Field(default=1e-3, gt=0)
    meta_step: float = Field(default=1.0, gt=0)
    test_steps: int = Field(default=50, ge=0, le=10_000)
    test_batch: int = Field(default=5, ge=1)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes that carries the inner Adam's moments."""
        return Network(backbone.build(size, channels), self.train.way, moments=True)

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Plain descent on the pseudo-gradient, with ε for its rate."""
        return torch.optim.SGD(net.parameters(), lr=self.meta_step)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """Fill ``.grad`` with θ − mean φᵢ; the loss is the mean over tasks of the last mini-batch's."""
        tasks, network = expect(batch, Tasks), as_network(net)
        images = tasks.support_y.shape[1]
        ends: list[Params] = []
        last = 0.0
        for x, y in zip(tasks.support_x, tasks.support_y, strict=True):
            rows = minibatches(rng, images, self.inner_batch, self.inner_steps)[0]
            end, loss = self._one_task(network, x[rows], y[rows])
            ends.append(end)
            last += loss / len(tasks.support_y)
        for name, p in net.named_parameters():
            p.grad = p.detach() - torch.stack([end[name][0] for end in ends]).mean(0)
        return StepStats(last, self._passes(len(ends), images))

    def passes(self) -> int:
        """The mini-batches of all tasks."""
        return self._passes(self.train.tasks, self.train.way * self.train.shot)

    def _passes(self, tasks: int, images: int) -> int:
        return tasks * self.inner_steps * min(self.inner_batch, images)

    def _one_task(self, network: Network, x: Tensor, y: Tensor) -> tuple[Params, float]:
        """The weights after the mini-batches x (steps, B, C, H, W), y (steps, B), and the last one's loss."""
        seen: list[Tensor] = []

        def losses(params: Params, k: int) -> Tensor:
            logits, statistics = per_task(network, {}, params, x[k : k + 1], record=k == 0, batched=False)
            network.follow(statistics)
            seen.append(task_losses(logits, y[k : k + 1]))
            return seen[-1]

        _, start = network.parts("all")
        second, updates = network.adam_state()
        state = (spread(second, 1), updates)
        end, state = descend(losses, spread(start, 1), adam(self.inner_rate), state, self.inner_steps, order=0)
        network.keep_adam_state(state)
        return end, seen[-1].item()

    def adaptation(self) -> Adaptation:
        """Adam from the carried moments on small mini-batches."""
        return Gradient(steps=self.test_steps, rate=self.inner_rate, optimiser="adam", batch=self.test_batch)
