"""What methods share that train on all source classes at once."""

from abc import ABC, abstractmethod
from typing import cast

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.func import functional_call

from robustmeta.adaptations.classifier import NoHead, OnFeatures
from robustmeta.config.components import Backbone, Diet
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.functional.normalise import batch_statistics
from robustmeta.methods.adversary import NOTHING, Spent
from robustmeta.methods.training import Fed, adam, expect
from robustmeta.nets import Network, as_network
from robustmeta.rng import Rng


class Classifying(Fed, ABC):
    """Cross-entropy over all source classes on batches of ``train.batch`` images, by Adam.

    An adversary attacks all of them, through the network under its running averages.
    """

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
        x, y = images.x[None], images.y[None]
        if self.foe:
            fixed = {k: p.detach() for k, p in network.named_parameters()}
            classifier = OnFeatures(lambda seen: functional_call(network, fixed, (seen,)), NoHead())
            x = self.foe.shown(classifier, x, y, rng)
        with batch_statistics(constant=True) as statistics:
            (loss,) = self.counted(_mean_loss, network(x[0])[None], y)
        loss.backward()
        network.follow(statistics)
        return self._spent(len(images.x)).stats(loss.item())

    def passes(self) -> int:
        """Every image once; with an adversary, what the attack takes too."""
        return self._spent(self.train.batch).forward

    def gradient_passes(self) -> int:
        """Every image once; with an adversary, once more for each of its steps."""
        return self._spent(self.train.batch).backward

    def _spent(self, images: int) -> Spent:
        step = images * (self.foe.copies if self.foe else 1)
        return Spent(step, step) + (self.foe.cost(images) if self.foe else NOTHING)


def _mean_loss(logits: Tensor, y: Tensor) -> Tensor:
    """The mean cross-entropy (1,) of logits (1, B, classes)."""
    return F.cross_entropy(logits[0], y[0])[None]
