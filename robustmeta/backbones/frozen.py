"""A network that is asked again and again while its weights stay."""

from copy import deepcopy
from itertools import pairwise

import torch
from torch import nn

from robustmeta.nets import Conv, Network, Norm


def frozen(network: Network) -> Network:
    """A copy whose weights take no gradients, with normalisation by running averages folded into its convolutions.

    W ← s W and b ← β + s (b − μ) with s = γ / √(σ² + ε), wherever a convolution comes right before its normalisation
    in a row of layers of the body. The outputs are the same to rounding, in fewer passes over memory.
    """
    copied = deepcopy(network).requires_grad_(False)
    for row in [m for m in copied.body.modules() if isinstance(m, nn.Sequential)]:
        layers = list(row.named_children())
        for (_, conv), (name, norm) in pairwise(layers):
            if isinstance(conv, Conv) and isinstance(norm, Norm) and norm.mode == "auto" and not norm.steps:
                _fold(conv, norm)
                setattr(row, name, nn.Identity())
    return copied


@torch.no_grad()
def _fold(conv: Conv, norm: Norm) -> None:
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    before = 0 if conv.bias is None else conv.bias
    conv.weight.mul_(scale[:, None, None, None])
    conv.bias = nn.Parameter(norm.bias + scale * (before - norm.running_mean), requires_grad=False)
