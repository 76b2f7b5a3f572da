"""Nearest class mean of centred features of unit length."""

import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.adaptations.prototypes import Centres
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.prototypes import prototypes
from robustmeta.heads.linear import OnSphere
from robustmeta.nets import as_network
from robustmeta.rng import Rng


@component("simpleshot", paper="Wang et al. 2019, SimpleShot, section 3 (CL2N)")
class SimpleShot(FixedFeatures):
    """Logits −‖z − c_k‖² with z = (f(x) − μ) / ‖f(x) − μ‖ and c_k the mean z of class k's support.

    μ is the mean feature of the source images (the network's ``centre``). The means c_k are not normalised again.
    """

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """Class means of (T, S, D) on the sphere."""
        centre = as_network(net).centre
        return OnSphere(Centres(*prototypes(F.normalize(z - centre, dim=-1), y, way)), centre)
