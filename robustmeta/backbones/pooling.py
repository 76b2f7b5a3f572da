"""The mean over an image."""

from torch import Tensor, nn


class SiteMean(nn.Module):
    """The mean of every channel over all sites, as AdaptiveAvgPool2d(1) has it, in a form that vmap computes fast."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 1, 1)."""
        return x.mean((2, 3), keepdim=True)
