"""Matching networks."""

from typing import ClassVar

from torch import Tensor

from robustmeta.adaptations.matching import Attention, Distance, Matching
from robustmeta.config.components import Adaptation, Diet, component
from robustmeta.core import Head, Traits
from robustmeta.methods.features import FeatureLearner
from robustmeta.nets import Network


@component("matching", paper="Vinyals et al. 2016, Matching Networks for One Shot Learning, equations 1 and 2")
class MatchingNet(FeatureLearner):
    """Learn features by which attention over the support finds a query's class.

        minimise −log Σ_{i: yᵢ = y} softmaxᵢ c(f(x), f(xᵢ))

    ``distance``: c is the cosine, as published, or −‖f(x) − f(xᵢ)‖² (``l2``), with which others have reproduced the
    published accuracies and without which not. One network f embeds supports and queries, and sees one image: these
    are the networks without full context embeddings. Training tasks have the shape of those to come, as the authors
    advise. In training one set of batch statistics covers the supports and queries of all tasks of a step. ``rate`` is
    that of the outer Adam, which falls to zero along a cosine.
    """

    family: ClassVar[str] = "metric-based"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(way=5, shot=5, query=15, tasks=2)
    distance: Distance = "cosine"

    def fit(self, network: Network, z: Tensor, y: Tensor, way: int) -> Head:
        """The support itself."""
        return Attention(z, y, way, self.distance)

    def adaptation(self) -> Adaptation:
        """The same attention."""
        return Matching(distance=self.distance)
