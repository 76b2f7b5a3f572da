"""SNAIL, a simple neural attentive learner."""

from typing import ClassVar, cast

from pydantic import Field
from torch import nn

from robustmeta.config.components import Diet, component
from robustmeta.core import Traits
from robustmeta.heads.snail import Snail
from robustmeta.methods.features import HeadLearner


@component("snail", version=2, paper="Mishra et al. 2018, A Simple Neural Attentive Meta-Learner, sections 3 and 5.1")
class SnailLearner(HeadLearner):
    """Temporal convolutions and causal attention over the labelled support and one query, whose label it predicts.

    ``filters`` is the width of a convolution and scales all layers; its authors have 128, which costs several times as
    much as the backbone does. The convolutions of a block reach over the longest sequence of training, ``train.way`` *
    ``train.shot`` + 1. Features are standardised and labels as long as they are. ``rate`` is that of the outer Adam,
    which falls to zero along a cosine.
    """

    family: ClassVar[str] = "model-based"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=False, embeds=True)

    train: Diet = Diet(way=5, shot=5, query=5, tasks=4)
    filters: int = Field(default=32, ge=4, multiple_of=4)
    rate: float = Field(default=3e-3, gt=0)

    def head(self, body: nn.Module) -> Snail:
        """The layers."""
        length = self.train.way * self.train.shot + 1
        return Snail(cast("int", body.features), self.train.way, length, self.filters)
