"""Plain supervised training on all source classes: the baseline that adaptations share."""

from typing import ClassVar

from torch import nn

from robustmeta.adaptations.linear_probe import LinearProbe
from robustmeta.config.components import Adaptation, component
from robustmeta.core import Traits
from robustmeta.methods.classifying import Classifying


@component(
    "supervised", version=2, paper="Chen et al. 2019, A Closer Look at Few-shot Classification, section 3.2 (Baseline)"
)
class Supervised(Classifying):
    """Cross-entropy over all source classes on batches of ``train.batch`` images, with a linear head.

    ``rate`` is that of the outer Adam, which falls to zero along a cosine. Adaptations to new classes drop the head.
    """

    family: ClassVar[str] = "transfer"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    def head(self, features: int, classes: int) -> nn.Module:
        """A linear layer."""
        return nn.Linear(features, classes)

    def adaptation(self) -> Adaptation:
        """A logistic regression on the features."""
        return LinearProbe()
