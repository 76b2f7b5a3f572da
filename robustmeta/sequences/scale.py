"""A picture that comes nearer."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.frames import moved, scaling
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="digital",
    tables={"224": ((40, 2.5),), "64": ((40, 2.5),), "32": ((70, 2),)},
    frames=31,
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "exact", "64": "exact", "32": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def scale(x: Tensor, level: tuple[float, float], rng: Rng) -> Iterator[Tensor]:
    """Frame i is first + i · step percent as large; level is (first, step). Black surrounds a smaller picture.

    Where the published frames are parts of a larger photograph, that shows instead of some of the black.
    """
    first, step = level
    for i in range(31):
        yield moved(x, scaling((first + i * step) / 100))
