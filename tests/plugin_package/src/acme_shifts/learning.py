"""A learner that compares a query with every image of the support, and the same for features of other learners."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.config.components import Diet, component
from robustmeta.core import Traits
from robustmeta.methods.features import FeatureLearner

FAR = 1e4


@dataclass(eq=False)
class Neighbours:
    """The logit of a class is minus the squared distance to the nearest of its support."""

    z: Tensor
    y: Tensor
    way: int
    coupled: bool = False

    def __call__(self, query):
        """(T, Q, D) -> (T, Q, way)."""
        distance = (query[:, :, None] - self.z[:, None]).square().sum(-1)  # (T, Q, S)
        mine = torch.nn.functional.one_hot(self.y, self.way).bool()[:, None]  # (T, 1, S, way)
        return -torch.where(mine, distance[..., None], FAR).amin(2)

    def select(self, tasks):
        """Those of some of the tasks."""
        return Neighbours(self.z[tasks], self.y[tasks], self.way)


@component("acme_nearest", paper="Acme 2026, Neighbours")
class Nearest(FixedFeatures):
    """The class of the nearest image of the support."""

    def fit(self, net, z, y, way, rng):
        """Remember the support."""
        return Neighbours(z, y, way)


@component("acme_neighbour", paper="Acme 2026, Neighbours")
class Neighbour(FeatureLearner):
    """Learn features in which the nearest image of the support is of the same class."""

    family = "metric-based"
    traits = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(way=5, shot=2, query=3, tasks=2)

    def fit(self, network, z, y, way):
        """Remember the support."""
        return Neighbours(z, y, way)

    def adaptation(self):
        """The same."""
        return Nearest()
