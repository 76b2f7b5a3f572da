"""Ridge regression as a differentiable learner."""

from typing import ClassVar

from pydantic import Field
from torch import nn

from robustmeta.config.components import Diet, component
from robustmeta.core import Traits
from robustmeta.heads.solved import RidgeHead
from robustmeta.methods.features import HeadLearner
from robustmeta.nets import ContextHead


@component("r2d2", paper="Bertinetto et al. 2019, Meta-learning with Differentiable Closed-form Solvers, section 3.2")
class R2D2(HeadLearner):
    """Learn features on which ridge regression, fitted to the support, classifies the queries.

        W = Zᵀ (Z Zᵀ + λ I)⁻¹ Y,   logits = α zᵀ W + β

    λ, α and β are learned along, from ``ridge``, ``scale`` and 0, which the authors' programs start their Omniglot runs
    from; these vary way and shot from task to task, where this trains on tasks of one shape, of more shots than it will
    be tested on. In training one set of batch statistics covers the supports and queries of all tasks of a step.
    ``rate`` is that of the outer Adam, which falls to zero along a cosine.
    """

    family: ClassVar[str] = "closed-form"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(way=5, shot=15, query=5, tasks=2)
    ridge: float = Field(default=50.0, gt=0)
    scale: float = Field(default=10.0, gt=0)

    def head(self, body: nn.Module) -> ContextHead:
        """The regression."""
        return RidgeHead(self.ridge, self.scale)
