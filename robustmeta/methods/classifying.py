"""What methods share that train on all source classes at once."""

from abc import ABC, abstractmethod
from typing import cast

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import nn

from robustmeta.config.components import Backbone, Diet
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.functional.normalise import batch_statistics
from robustmeta.methods.training import Fed, adam, expect
from robustmeta.nets import Network, as_network
from robustmeta.rng import Rng


class Classifying(Fed, ABC):
    """Cross-entropy over all source classes on batches of ``train.batch`` images, by Adam."""

    train: Diet = Diet(batch=64)
    rate: float = Field(default=3e-3, gt=0)

    @abstractmethod
    def head(self, features: int, classes: int) -> nn.Module:
        """A classifier (N, features) -> (N, classes), which adaptations to new classes drop."""

    @field_validator("train")
    @classmethod
    def _sensible(cls, value: Diet) -> Diet:
        if value.batch < 2:
            raise ValueError(f"{cls.name} trains on plain images: expected batch >= 2, got {value.batch}")
        return value

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for all source classes."""
        body = backbone.build(size, channels)
        return Network(body, classes, head=self.head(int(cast("int", body.features)), classes))

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Adam."""
        return adam(net, self.rate)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The gradient of the mean cross-entropy."""
        images, network = expect(batch, Batch), as_network(net)
        with batch_statistics() as statistics:
            loss = F.cross_entropy(network(images.x), images.y)
        loss.backward()
        network.follow(statistics)
        return StepStats(loss.item(), len(images.x))

    def passes(self) -> int:
        """Every image once."""
        return self.train.images
