"""Supervised training on all source classes by cosine similarity."""

from typing import ClassVar

from pydantic import Field
from torch import nn

from robustmeta.adaptations.cosine_head import CosineHead
from robustmeta.config.components import Adaptation, component
from robustmeta.core import Traits
from robustmeta.heads.cosine import CosineClassifier
from robustmeta.methods.classifying import Classifying


@component(
    "supervised_cosine", paper="Chen et al. 2019, A Closer Look at Few-shot Classification, section 3.2 (Baseline++)"
)
class SupervisedCosine(Classifying):
    """Cross-entropy over all source classes, by ``scale`` times the cosine of an image's features with class vectors.

    New classes get new vectors of the same scale by ``cosine_head``. ``rate`` is that of the outer Adam, which falls to
    zero along a cosine.
    """

    family: ClassVar[str] = "transfer"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=False, order_free=False, embeds=True)

    scale: float = Field(default=10.0, gt=0, description="what cosines are multiplied by, in training and afterwards")

    def head(self, features: int, classes: int) -> nn.Module:
        """Class vectors."""
        return CosineClassifier(features, classes, self.scale)

    def adaptation(self) -> Adaptation:
        """New class vectors, trained on the support."""
        return CosineHead(scale=self.scale)
