"""A picture that turns."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.frames import moved, turning
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="digital",
    levels=(1.0,),
    frames=31,
    laws={"levels": "ImageNet-P = Tiny-ImageNet-P = CIFAR-10-P"},
    parity={"levels": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def rotate(x: Tensor, step: float, rng: Rng) -> Iterator[Tensor]:
    """Frame i is turned clockwise by (i − 15) · step degrees about the middle. Black comes in over the edges.

    Where the published frames are parts of a larger photograph, that shows instead of the black.
    """
    for i in range(31):
        yield moved(x, turning((i - 15) * step))
