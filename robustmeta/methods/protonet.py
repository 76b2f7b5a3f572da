"""Prototypical networks."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from robustmeta.adaptations.prototypes import Prototypes
from robustmeta.config.components import Adaptation, Backbone, Diet, component
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.functional.inner_loop import task_losses
from robustmeta.functional.normalise import batch_statistics
from robustmeta.functional.prototypes import negative_squared_distances, prototypes
from robustmeta.methods.training import Episodic, adam, expect
from robustmeta.nets import Network, as_network
from robustmeta.rng import Rng


@component("protonet", version=2, paper="Snell et al. 2017, Prototypical Networks for Few-shot Learning, algorithm 1")
class ProtoNet(Episodic):
    """Learn features in which a query is nearest to the mean of its class's support (squared Euclidean distance).

    Trained on more ways than it is tested on, as its authors advise. In training one set of batch statistics covers the
    supports and queries of all tasks of a step. ``rate`` is that of the outer Adam, which falls to zero along a cosine.
    """

    family: ClassVar[str] = "metric-based"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(way=20, shot=5, query=5, tasks=1)
    rate: float = Field(default=3e-3, gt=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network without a head."""
        return Network(backbone.build(size, channels))

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Adam."""
        return adam(net, self.rate)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The gradient of the mean query loss over the tasks."""
        tasks, network = expect(batch, Tasks), as_network(net)
        shots = tasks.support_x.shape[1]
        x = torch.cat([tasks.support_x, tasks.query_x], 1)
        with batch_statistics() as statistics:
            z = network(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        centres, _ = prototypes(z[:, :shots], tasks.support_y, tasks.way)
        loss = task_losses(negative_squared_distances(z[:, shots:], centres), tasks.query_y).mean()
        loss.backward()
        network.follow(statistics)
        return StepStats(loss.item(), x.shape[0] * x.shape[1])

    def passes(self) -> int:
        """Every image once."""
        return self.train.images

    def adaptation(self) -> Adaptation:
        """Class means."""
        return Prototypes()
