"""A camera whose motion turns."""

from collections.abc import Iterator

import torch
from torch import Tensor

from robustmeta.functional import motion
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="blur",
    tables={"224": ((10, 3, 4, 31),), "32": ((6, 1.8, 9, 21),)},
    frames={"224": 31, "32": 21},
    laws={"224": "ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "none", "32": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def motion_blur(x: Tensor, level: tuple[int, float, float, int], rng: Rng) -> Iterator[Tensor]:
    """Blurred along a line that turns by step degrees a frame to end at 0; level is (radius, σ, step, frames).

    The blur is that of the corruption, which stands for ImageMagick's, stored in 8 bits. There is no table of 64
    pixels: the published frames of that size are blurred before they are made small.
    """
    radius, sigma, step, frames = level
    for i in range(frames):
        degrees = torch.full((len(x),), (i - frames + 1) * step, dtype=torch.float64)
        blurred = motion.motion_blur(x, degrees, radius, sigma)
        yield blurred.mul_(255).round_().div_(255).clamp_(0, 1)
