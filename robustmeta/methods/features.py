"""What methods share that learn features for a head which is fitted to each support set."""

from abc import ABC, abstractmethod
from typing import ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.in_context import InContext
from robustmeta.config.components import Adaptation, Apart, Backbone
from robustmeta.core import Batch, Head, StepStats, Tasks
from robustmeta.functional.inner_loop import task_losses
from robustmeta.methods.training import Episodic, adam, episodic_step
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
            return self.losses(head(query), tasks.query_y)

        return episodic_step(network, batch, losses)

    def passes(self) -> int:
        """Every image once."""
        return self.train.images


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
