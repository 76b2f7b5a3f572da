"""A picture that moves to the right."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.frames import moved, scaling
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="digital",
    tables={"224": ((-20, 20),), "64": ((-15, 15),), "32": ((-7, 8),)},
    frames={"224": 41, "64": 31, "32": 16},
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "exact", "64": "exact", "32": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def translate(x: Tensor, level: tuple[int, int], rng: Rng) -> Iterator[Tensor]:
    """Frame i is shifted to the right by first + i pixels; level is (first, last). Black comes in over the edges.

    At 32 pixels that is the published law; at 224 the published frames are parts of a larger photograph, which shows
    instead of the black.
    """
    first, last = level
    for shift in range(first, last + 1):
        yield moved(x, scaling(1), (shift, 0))
