"""A gray square in front of the image."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.occlude import square
from robustmeta.rng import Rng

GRAY = 0.5
"""The published squares have the mean colour of the data set, which a corruption does not know."""


@corruption(
    family="occlusion",
    levels=(0.0625, 0.125, 0.25, 0.375, 0.5),
    laws={"levels": "DeVries and Taylor: 1/16 and 1/4 are their squares for CIFAR-100 and CIFAR-10"},
    parity={"levels": "none"},
    paper="DeVries and Taylor 2017, Improved Regularization of Convolutional Neural Networks with Cutout",
)
def cutout(x: Tensor, part: float, rng: Rng) -> Tensor:
    """A gray square of side 2 · round(½ √(part · H · W)) around a uniformly random pixel; it may end beyond the border.

    As published, what lies beyond the border is lost, so on average less than ``part`` of the image is covered.
    """
    height, width = x.shape[2:]
    half = round(0.5 * (part * height * width) ** 0.5)
    covered = square(rng.integers(0, height), rng.integers(0, width), half, (height, width))
    return x.masked_fill(covered[:, None].to(x.device), GRAY)
