"""A network with a new head, every parameter of which adapts."""

import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.functional.inner_loop import Params
from robustmeta.nets import Mode, Network


class UnitLength(nn.Module):
    """Features divided by their length."""

    def forward(self, z: Tensor) -> Tensor:
        """(N, D) to the same shape."""
        return F.normalize(z, dim=-1)


BODY, WEIGHT, BIAS = "0.", "2.weight", "2.bias"
"""Names of the parameters in what ``with_fresh_head`` builds: a prefix, and those of the head."""


def with_fresh_head(network: Network, way: int, *, unit: bool) -> nn.Sequential:
    """The body, features of ``unit`` length or as they are, and a linear head without values of its own."""
    between = UnitLength() if unit else nn.Identity()
    return nn.Sequential(network.body, between, nn.Linear(network.features, way, device="meta"))


def body_params(network: Network) -> Params:
    """The body's detached parameters under their names there."""
    return {BODY + k: p.detach() for k, p in network.body.named_parameters()}


def adapted_mode(network: Network) -> Mode:
    """Whose statistics normalise a query after steps that are not those of training: ``per_step`` has none for them."""
    return "auto" if network.mode == "per_step" else network.mode
