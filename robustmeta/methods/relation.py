"""Relation networks."""

from typing import ClassVar, cast

from pydantic import Field
from torch import Tensor, nn

from robustmeta.config.components import Diet, component
from robustmeta.core import Traits
from robustmeta.functional.relation import relation_losses
from robustmeta.heads.relation import RelationHead, Shape
from robustmeta.methods.features import HeadLearner
from robustmeta.nets import ContextHead


@component(
    "relation", paper="Sung et al. 2018, Learning to Compare: Relation Network for Few-Shot Learning, eq. 1 and 2"
)
class RelationNet(HeadLearner):
    """Learn to say how well a query fits a class: r = σ(g(C(Σ_{i: yᵢ = k} f(xᵢ), f(x)))).

    C puts the class's feature map above the query's and g is the relation module (``width`` channels, ``hidden``
    units). The loss is the published one, the mean over all pairs of (r − [k = y])². Logits are those of r: their
    softmax is P(k) ∝ r_k / (1 − r_k), the chance that pair k agrees if pairs are judged each by itself and one does.

    Class maps are sums over shots, as published, so a module trained with one number of shots meets other magnitudes
    with another. The map is the body's where it says its shape (``map``, as conv4 does), else one pixel of all
    features. Unlike the authors' body, conv4 halves an image four times instead of twice. In training one set of batch
    statistics covers all images, and one all pairs, of a step. ``rate`` is that of the outer Adam, which falls to zero
    along a cosine; gradients are not clipped, which the authors' program does at a norm of 0.5.
    """

    family: ClassVar[str] = "metric-based"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(way=5, shot=5, query=15, tasks=2)
    width: int = Field(default=64, ge=1)
    hidden: int = Field(default=8, ge=1)

    def head(self, body: nn.Module) -> ContextHead:
        """The relation module on the body's feature maps."""
        shape = getattr(body, "map", (cast("int", body.features), 1, 1))
        return RelationHead(cast("Shape", shape), self.width, self.hidden)

    def losses(self, logits: Tensor, y: Tensor) -> Tensor:
        """Squared errors of the relation scores."""
        return relation_losses(logits, y)
