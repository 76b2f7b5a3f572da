"""A picture that is pushed askew."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.frames import moved, shearing
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="digital",
    levels=(1.0,),
    frames=31,
    validation=True,
    laws={"levels": "ImageNet-P = Tiny-ImageNet-P = CIFAR-10-P"},
    parity={"levels": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def shear(x: Tensor, step: float, rng: Rng) -> Iterator[Tensor]:
    """Frame i is sheared along the rows by an angle of (i − 15) · step degrees. Black comes in over the edges.

    It is what the published program does under today's torchvision; that of 2018 also shortened the picture by the
    cosine. Where the published frames are parts of a larger photograph, that shows instead of the black.
    """
    for i in range(31):
        yield moved(x, shearing((i - 15) * step))
