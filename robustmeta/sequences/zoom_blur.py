"""A picture that comes nearer while it is taken."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.frames import moved, scaling
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="blur",
    levels=(0.004,),
    frames=31,
    laws={"levels": "ImageNet-P = Tiny-ImageNet-P = CIFAR-10-P"},
    parity={"levels": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def zoom_blur(x: Tensor, step: float, rng: Rng) -> Iterator[Tensor]:
    """Frame i is the mean of the picture enlarged 1, 1 + step, ..., 1 + i · step times about its middle."""
    yield x
    total = x
    for i in range(1, 31):
        total = total + moved(x, scaling(1 + i * step))
        yield total / (i + 1)
