"""Plain supervised training on all source classes: the baseline that adaptations share."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import nn

from robustmeta.adaptations.linear_probe import LinearProbe
from robustmeta.config.components import Adaptation, Backbone, Diet, Method, component
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.functional.normalise import batch_statistics
from robustmeta.methods.training import adam, complete, expect
from robustmeta.nets import Network, as_network
from robustmeta.rng import Rng


@component(
    "supervised", version=2, paper="Chen et al. 2019, A Closer Look at Few-shot Classification, section 3.2 (Baseline)"
)
class Supervised(Method):
    """Cross-entropy over all source classes on batches of ``train.batch`` images.

    ``rate`` is that of the outer Adam, which falls to zero along a cosine. Adaptations to new classes drop the head.
    """

    family: ClassVar[str] = "transfer"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(batch=64)
    rate: float = Field(default=3e-3, gt=0)

    @field_validator("train", mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        return complete(cls, value)

    @field_validator("train")
    @classmethod
    def _sensible(cls, value: Diet) -> Diet:
        if value.batch < 2:
            raise ValueError(f"supervised trains on plain images: expected batch >= 2, got {value.batch}")
        return value

    def diet(self) -> Diet:
        """The field ``train``."""
        return self.train

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for all source classes."""
        return Network(backbone.build(size, channels), classes)

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

    def adaptation(self) -> Adaptation:
        """A logistic regression on the features."""
        return LinearProbe()
