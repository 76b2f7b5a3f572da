"""Prototypical networks."""

from typing import ClassVar

from torch import Tensor

from robustmeta.adaptations.prototypes import Centres, Prototypes
from robustmeta.config.components import Adaptation, Diet, component
from robustmeta.core import Head, Traits
from robustmeta.functional.prototypes import prototypes
from robustmeta.methods.features import FeatureLearner
from robustmeta.nets import Network


@component("protonet", version=2, paper="Snell et al. 2017, Prototypical Networks for Few-shot Learning, algorithm 1")
class ProtoNet(FeatureLearner):
    """Learn features in which a query is nearest to the mean of its class's support (squared Euclidean distance).

    Trained on more ways than it is tested on, as its authors advise. In training one set of batch statistics covers the
    supports and queries of all tasks of a step. ``rate`` is that of the outer Adam, which falls to zero along a cosine
    (its authors' 1e-3 moves weights that start 2.4 times as small as those of conv4 here).
    """

    family: ClassVar[str] = "metric-based"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(way=20, shot=5, query=5, tasks=1)

    def fit(self, network: Network, z: Tensor, y: Tensor, way: int) -> Head:
        """Class means."""
        return Centres(*prototypes(z, y, way))

    def adaptation(self) -> Adaptation:
        """Class means."""
        return Prototypes()
