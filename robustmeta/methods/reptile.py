"""Reptile."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.classifier import TaskNetwork
from robustmeta.adaptations.gradient import Gradient, spread, with_support_statistics
from robustmeta.config.components import Adaptation, Backbone, Diet, Schedule, component
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.functional.inner_loop import Params, adam, descend, minibatches, per_task, task_losses
from robustmeta.methods.adversary import NOTHING, Spent
from robustmeta.methods.training import Episodic, expect
from robustmeta.nets import Network, as_network
from robustmeta.rng import Rng


@component(
    "reptile", version=2, paper="Nichol, Achiam and Schulman 2018, On First-Order Meta-Learning Algorithms, algorithm 2"
)
class Reptile(Episodic):
    """Move the weights towards those that training on each task ends at.

        θ ← θ + ε (1/T) Σᵢ (φᵢ − θ),   ε from ``meta_step`` to 0 along a line

    φᵢ = θ after ``inner_steps`` mini-batches of ``inner_batch`` with Adam, β₁ = 0; mini-batches pass through the task
    without replacement and may span two passes. All ``train.shot`` images of a class are trained on; there is no query.
    Fields: carry, ``sequential``: Adam's second moments carry over from task to task and step to step, so that the
    tasks run one after another, as published; ``none``: they begin at zero in every task, and all tasks of a step run
    side by side (a variant of this package); inner_rate, of the inner Adam; test_steps and test_batch, of the native
    adaptation, which begins with the moments carried.

    An adversary attacks each mini-batch under the weights that are about to step on it, normalised with the statistics
    of the clean mini-batch; there is no query, so that ``place: query`` and ``both`` are the same here.
    """

    inner: ClassVar[bool] = True
    pairs: ClassVar[bool] = False
    family: ClassVar[str] = "gradient-based"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=False, embeds=False)
    least_query: ClassVar[int] = 0
    schedule: ClassVar[Schedule] = "linear"

    train: Diet = Diet(way=5, shot=10, query=0, tasks=5)
    inner_steps: int = Field(default=5, ge=1, le=1000)
    inner_batch: int = Field(default=10, ge=1)
    inner_rate: float = Field(default=1e-3, gt=0)
    meta_step: float = Field(default=1.0, gt=0)
    carry: Literal["sequential", "none"] = "sequential"
    test_steps: int = Field(default=50, ge=0, le=10_000)
    test_batch: int = Field(default=5, ge=1)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes, which holds the inner Adam's moments where they carry."""
        return Network(backbone.build(size, channels), self.train.way, moments=self.carry == "sequential")

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Plain descent on the pseudo-gradient, with ε for its rate."""
        return torch.optim.SGD(net.parameters(), lr=self.meta_step)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """Fill ``.grad`` with θ − mean φᵢ; the loss is the mean over tasks of the last mini-batch's."""
        tasks, network = expect(batch, Tasks), as_network(net)
        count, images = tasks.support_y.shape
        rows = [minibatches(rng, images, self.inner_batch, self.inner_steps)[0] for _ in range(count)]
        size = count if self.carry == "none" else 1
        ends: list[Params] = []
        last = 0.0
        for start in range(0, count, size):
            some = slice(start, start + size)
            batches = torch.stack(rows[some])
            end, losses = self._descend(network, tasks.support_x[some], tasks.support_y[some], batches, rng)
            ends.append(end)
            last += losses.sum().item() / count
        for name, p in network.named_parameters():
            p.grad = p.detach() - torch.cat([end[name] for end in ends]).mean(0)
        return self._spent(count, images).stats(last)

    def passes(self) -> int:
        """The mini-batches of all tasks; with an adversary, what the attack takes too."""
        return self._spent(self.train.tasks, self.train.way * self.train.shot).forward

    def gradient_passes(self) -> int:
        """The same; with an adversary, every mini-batch once more for each of its steps."""
        return self._spent(self.train.tasks, self.train.way * self.train.shot).backward

    def _spent(self, tasks: int, images: int) -> Spent:
        stepped = tasks * self.inner_steps * min(self.inner_batch, images)
        return Spent(stepped, stepped) + (self.foe.cost(stepped, stepped) if self.foe else NOTHING)

    def _descend(self, network: Network, x: Tensor, y: Tensor, rows: Tensor, rng: Rng) -> tuple[Params, Tensor]:
        """The weights of T tasks after the mini-batches of these rows (T, steps, B), and the losses (T,) of the last.

        They start from the network's moments, and leave it those of the first task.
        """
        task = torch.arange(len(x))[:, None]
        seen: list[Tensor] = []

        def losses(params: Params, k: int) -> Tensor:
            batched = None if self.carry == "none" else False
            images, labels = x[task, rows[:, k]], y[task, rows[:, k]]
            if self.foe:
                images = self.foe.perturb(_fixed(network, params, images), images, labels, rng, k)
            logits, statistics = per_task(network, {}, params, images, record=k == 0, batched=batched)
            network.follow(statistics)
            seen.append(task_losses(logits, labels))
            return seen[-1]

        _, start = network.parts("all")
        second, updates = network.adam_state()
        state = (spread(second, len(x)), updates)
        end, state = descend(losses, spread(start, len(x)), adam(self.inner_rate), state, self.inner_steps, order=0)
        network.keep_adam_state(state)
        return end, seen[-1].detach()

    def adaptation(self) -> Adaptation:
        """Adam from the carried moments on small mini-batches."""
        return Gradient(steps=self.test_steps, rate=self.inner_rate, optimiser="adam", batch=self.test_batch)


def _fixed(network: Network, params: Params, images: Tensor) -> TaskNetwork:
    """The network under these weights and the statistics of these images, without gradients for either."""
    mode = "batch" if network.mode == "batch" else "auto"
    with torch.no_grad():
        return with_support_statistics(network, mode, {}, {k: p.detach() for k, p in params.items()}, images)
