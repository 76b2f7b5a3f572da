"""A network that is asked again and again while its weights stay."""

from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn

from robustmeta.backbones.recalling import recalling
from robustmeta.functional.narrow import FEW, convolve_few
from robustmeta.nets import Conv, Network, Norm


class FromFew(Conv):
    """A convolution of images of few channels, differentiable in these alone."""

    def __init__(self, plain: Conv) -> None:
        super().__init__(plain)
        self.sides = plain.sides

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, P, Q)."""
        return convolve_few(input, self.weight, self.bias, *self.sides)


def frozen(network: Network) -> Network:
    """A copy whose weights take no gradients, with normalisation by running averages folded into its convolutions.

    W ← s W and b ← β + s (b − μ) with s = γ / √(σ² + ε), wherever a convolution comes right before its normalisation
    in a row of layers of the body. The outputs are the same to rounding, in fewer passes over memory, and so are the
    gradients by the image, which the first convolution has a faster way to.
    """
    copied = deepcopy(network).requires_grad_(False)
    for row in [m for m in copied.body.modules() if isinstance(m, nn.Sequential)]:
        layers = list(row.named_children())
        for (_, conv), (name, norm) in pairwise(layers):
            if isinstance(conv, Conv) and isinstance(norm, Norm) and norm.mode == "auto" and not norm.steps:
                _fold(conv, norm)
                setattr(row, name, nn.Identity())
    first = [(name, m) for name, m in copied.body.named_modules() if type(m) is Conv and m.in_channels <= FEW]
    for name, conv in first:
        copied.body.set_submodule(name, FromFew(conv))
    copied.body = recalling(copied.body)
    return copied


@torch.no_grad()
def _fold(conv: Conv, norm: Norm) -> None:
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    before = 0 if conv.bias is None else conv.bias
    conv.weight.mul_(scale[:, None, None, None])
    conv.bias = nn.Parameter(norm.bias + scale * (before - norm.running_mean), requires_grad=False)
