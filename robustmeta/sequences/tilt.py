"""A picture that turns out of its plane."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.frames import tilted
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="digital",
    tables={"224": (1.0,), "64": (1.0,), "32": (0.75,)},
    frames=31,
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "exact", "64": "exact", "32": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def tilt(x: Tensor, step: float, rng: Rng) -> Iterator[Tensor]:
    """Frame i is tilted by (i − 15) · step degrees about both middle lines, in perspective; black comes in.

    Where the published frames are parts of a larger photograph, that was tilted, and then cut.
    """
    for i in range(31):
        yield tilted(x, (i - 15) * step)
