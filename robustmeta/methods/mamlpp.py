"""MAML++."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import nn

from robustmeta.adaptations.gradient import Gradient
from robustmeta.config.components import Adaptation, Backbone, Diet, component
from robustmeta.functional.inner_loop import Params, sgd_at
from robustmeta.methods.descending import Descending, Order
from robustmeta.nets import Network


@component("mamlpp", paper="Antoniou et al. 2019, How to train your MAML, section 4")
class MamlPp(Descending):
    """MAML with learned rates by layer and step, a loss after every step, and annealed derivatives.

        θ, α ← by the gradient of (1/T) Σᵢ Σₖ wₖ L_query(φᵢₖ),   φᵢₖ = φᵢₖ₋₁ − αₖ ∇L_support(φᵢₖ₋₁)

    αₖ has a number for each tensor of parameters and step k, at first inner_rate. The weights wₖ of the K =
    ``inner_steps`` query losses begin equal; over the first part ``multi_step`` of training those of the earlier steps
    fall to 0 along a line, and after it the last step alone counts (the authors' program holds the earlier ones at
    0.03 / K or more until then). In the first part ``first_order`` of training the gradient is that of FOMAML (the
    paper: 0.5, for speed). The outer Adam's ``rate`` falls to zero along a cosine. The paper's normalisation is the
    backbone's ``norm: per_step``; otherwise normalisation is as in ``maml``. Its authors train on one query a class and
    eight tasks a step.
    """

    train: Diet = Diet(way=5, shot=5, query=1, tasks=8)
    inner_steps: int = Field(default=5, ge=1, le=1000)
    inner_rate: float = Field(default=0.1, gt=0)
    rate: float = Field(default=1e-3, gt=0)
    multi_step: float = Field(default=0.1, ge=0, le=1)
    first_order: float = Field(default=0.0, ge=0, le=1)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes, and its rates."""
        net = Network(backbone.build(size, channels), self.train.way, inner_steps=self.inner_steps)
        _, own = net.parts(self.layers)
        net.learn_rates({k: torch.full((self.inner_steps,), self.inner_rate) for k in own})
        return net

    def order_at(self, progress: float) -> Order:
        """1 in the first part ``first_order`` of training."""
        return 1 if progress < self.first_order else 2

    def importance(self, progress: float) -> Sequence[float]:
        """w₁, ..., w_K, which sum to 1."""
        k = self.inner_steps
        early = max(0.0, 1 - progress / self.multi_step) / k if self.multi_step else 0.0
        return [early] * (k - 1) + [1 - (k - 1) * early]

    def update(self, network: Network) -> tuple[Callable[[Params, Params, Any], tuple[Params, Any]], Any]:
        """Steps of the learned rates."""
        return sgd_at(network.rates_at), 0

    def adaptation(self) -> Adaptation:
        """The same inner steps."""
        return Gradient(steps=self.inner_steps, rate="learned", layers=self.layers)
