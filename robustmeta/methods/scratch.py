"""No training at all: what a support set teaches by itself."""

from typing import ClassVar

import torch
from torch import nn

from robustmeta.adaptations.full_finetune import FullFinetune
from robustmeta.config.components import Adaptation, Backbone, Diet, Method, component
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.nets import Network
from robustmeta.rng import Rng


@component(
    "scratch",
    paper="Guo et al. 2020, A Broader Study of Cross-Domain Few-Shot Learning, section 5 (networks of random weights)",
)
class Scratch(Method):
    """A network of random weights, which sees no source image whatever the budget; its support sets train it.

    With ``adapt: {name: linear_probe}`` its random features are kept.
    """

    family: ClassVar[str] = "transfer"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=False, order_free=False, embeds=False)

    def diet(self) -> Diet:
        """Nothing."""
        return Diet(way=0, shot=0, query=0, tasks=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network without a head."""
        return Network(backbone.build(size, channels))

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """One that is never asked for a step."""
        return torch.optim.SGD(net.parameters(), lr=0.0)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """Nothing."""
        return StepStats(0.0, 0)

    def passes(self) -> int:
        """None."""
        return 0

    def adaptation(self) -> Adaptation:
        """All weights and a new head are trained on the support."""
        return FullFinetune()
