"""What methods share that learn features for a head which is fitted to each support set."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from robustmeta.adaptations.classifier import OnFeatures, TaskNetwork
from robustmeta.adaptations.in_context import InContext
from robustmeta.config.components import Adaptation, Apart, Backbone
from robustmeta.core import Batch, Classifier, Head, StepStats, Tasks
from robustmeta.functional.inner_loop import per_task, task_losses
from robustmeta.methods.adversary import NOTHING, Spent
from robustmeta.methods.training import Episodic, adam, episodic_step, expect
from robustmeta.nets import ContextHead, Network, as_network
from robustmeta.rng import Rng


class FeatureLearner(Episodic, ABC):
    """Trained by Adam on the mean loss of the queries under the head that their support gives."""

    apart: ClassVar[Apart] = "without batch statistics"

    rate: float = Field(default=3e-3, gt=0)

    @abstractmethod
    def fit(self, network: Network, z: Tensor, y: Tensor, way: int) -> Head:
        """The head of T tasks from support features (T, S, D) and labels (T, S), differentiable in z."""

    def losses(self, logits: Tensor, y: Tensor) -> Tensor:
        """The loss of each task (T,) from its queries' logits (T, Q, way) and labels (T, Q): cross-entropy."""
        return task_losses(logits, y)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network without a head."""
        return Network(backbone.build(size, channels))

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Adam."""
        return adam(net, self.rate)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The gradient of the mean query loss over the tasks."""
        network = as_network(net)

        def losses(support: Tensor, query: Tensor, tasks: Tasks) -> Tensor:
            head = self.fit(network, support, tasks.support_y, tasks.way)
            return self.counted(self.losses, head(query), tasks.query_y)

        tasks, spent = self.attacked(network, expect(batch, Tasks), rng)
        return episodic_step(network, tasks, losses, spent)

    def attacked(self, network: Network, tasks: Tasks, rng: Rng) -> tuple[Tasks, Spent]:
        """The tasks with what the adversary makes of their queries, and what that takes; as they are without one.

        It attacks the learner as it is tested, adapted to the clean support: normalised with running averages, or as
        ``norm`` of the backbone says (``support_plus_one`` with the support's statistics).
        """
        if self.foe is None:
            return tasks, NOTHING
        query = self.foe.shown(self._tested(network, tasks), tasks.query_x, tasks.query_y, rng)
        return replace(tasks, query_x=query), self.foe.cost(tasks.query_y.numel(), tasks.support_y.numel())

    def _tested(self, network: Network, tasks: Tasks) -> Classifier:
        x, body = tasks.support_x, {k: p.detach() for k, p in network.body.named_parameters()}

        def embed(images: Tensor) -> Tensor:
            return functional_call(network.body, body, (images,))

        with torch.no_grad():
            if network.mode == "auto":
                z = embed(x.flatten(0, 1)).unflatten(0, x.shape[:2])
                return OnFeatures(embed, self.fit(network, z, tasks.support_y, tasks.way))
            z, given = per_task(network.body, body, {}, x, record=True)
            head, mode = self.fit(network, z, tasks.support_y, tasks.way), network.mode
            return TaskNetwork(network.body, body, {}, "batch" if mode == "batch" else "auto", x, given, head)

    def passes(self) -> int:
        """Every image once; with an adversary, what the attack takes too."""
        return self._spent().forward

    def gradient_passes(self) -> int:
        """Every image once; with an adversary, every query once more for each of its steps."""
        return self._spent().backward

    def _spent(self) -> Spent:
        d = self.train
        support, query = (d.tasks * d.way * n for n in (d.shot, d.query))
        step = support + query * (self.foe.copies if self.foe else 1)
        return Spent(step, step) + (self.foe.cost(query, support) if self.foe else NOTHING)


class HeadLearner(FeatureLearner, ABC):
    """One whose network has a head with weights of its own, which are trained along."""

    @abstractmethod
    def head(self, body: nn.Module) -> ContextHead:
        """A head for the features of a body."""

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with ``head``."""
        body = backbone.build(size, channels)
        return Network(body, head=self.head(body))

    def fit(self, network: Network, z: Tensor, y: Tensor, way: int) -> Head:
        """What the network's head makes of the support."""
        return cast("ContextHead", network.head).fit(z, y, way)

    def adaptation(self) -> Adaptation:
        """The head, with what it has learned."""
        return InContext()
