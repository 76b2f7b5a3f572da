"""Learned rates, one for each parameter."""

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import nn

from robustmeta.adaptations.gradient import Gradient
from robustmeta.config.components import Adaptation, Backbone, component
from robustmeta.functional.inner_loop import Params, sgd_at
from robustmeta.methods.descending import Descending
from robustmeta.nets import Network


@component("meta_sgd", paper="Li et al. 2017, Meta-SGD: Learning to Learn Quickly for Few-Shot Learning, equation 2")
class MetaSgd(Descending):
    """MAML whose inner steps have a rate for each parameter, learnt with the start: φ = θ − α ∘ ∇L_support(θ).

    All entries of α begin at inner_rate (its authors draw this one value from [0.005, 0.1]) and may become negative;
    every step uses the same α. Start and α are trained by the outer Adam of ``rate``, which falls to zero along a
    cosine. The paper takes one step. Normalisation is as in ``maml``.
    """

    inner_rate: float = Field(default=0.1, gt=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes, and α."""
        net = Network(backbone.build(size, channels), self.train.way, inner_steps=self.inner_steps)
        _, own = net.parts(self.layers)
        net.learn_rates({k: torch.full_like(p, self.inner_rate)[None] for k, p in own.items()})
        return net

    def update(self, network: Network) -> tuple[Callable[[Params, Params, Any], tuple[Params, Any]], Any]:
        """Steps of the learned rates."""
        return sgd_at(network.rates_at), 0

    def adaptation(self) -> Adaptation:
        """The same inner steps."""
        return Gradient(steps=self.inner_steps, rate="learned", layers=self.layers)
