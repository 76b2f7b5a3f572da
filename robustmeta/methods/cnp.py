"""Conditional neural processes."""

from typing import ClassVar, cast

from pydantic import Field
from torch import nn

from robustmeta.config.components import Diet, component
from robustmeta.core import Traits
from robustmeta.heads.cnp import Cnp
from robustmeta.methods.features import HeadLearner


@component("cnp", version=2, paper="Garnelo et al. 2018, Conditional Neural Processes, section 4.3")
class CnpLearner(HeadLearner):
    """Encode each labelled image, average over each class, decode a query with the averages of all classes.

    Features and averages are standardised; the decoder starts with comparing a query with one average at a time, which
    is ours. ``units`` is the width of the encoder, of the averages and of a comparison. ``rate`` is that of the outer
    Adam, which falls to zero along a cosine.
    """

    family: ClassVar[str] = "model-based"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=True, embeds=True)

    train: Diet = Diet(way=5, shot=5, query=5, tasks=4)
    units: int = Field(default=128, ge=1)
    rate: float = Field(default=3e-3, gt=0)

    def head(self, body: nn.Module) -> Cnp:
        """Encoder and decoder."""
        return Cnp(cast("int", body.features), self.train.way, self.units)
