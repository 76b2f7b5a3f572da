"""A new linear classifier by SGD."""

import torch
from torch import Tensor, nn

from robustmeta.adaptations.heads import Linear, uniform_start
from robustmeta.adaptations.sgd_head import SgdHead
from robustmeta.config.components import component
from robustmeta.core import Head
from robustmeta.functional.softmax import linear_slope
from robustmeta.rng import Rng


@component("linear_sgd", paper="Chen et al. 2019, A Closer Look at Few-shot Classification, section 3.2 (Baseline)")
class LinearSgd(SgdHead):
    """A new linear layer on frozen features, trained by SGD; features keep their length."""

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """Train on (T, S, D)."""
        weight, bias = uniform_start(rng, way, z.shape[-1])
        start = torch.cat([weight, bias[..., None]], -1).to(z)
        z = torch.cat([z, torch.ones_like(z[..., :1])], -1)  # the last weight of a class is its intercept
        own = self._descend(lambda p, z, y: {"all": linear_slope(p["all"], z, y)}, {"all": start}, z, y, way, rng)
        return Linear(own["all"][..., :-1], own["all"][..., -1])
