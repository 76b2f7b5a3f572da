"""A picture that grows bright."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional import photometric
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="weather",
    tables={"224": (0.02,), "64": (0.02,), "32": (0.015,)},
    frames=31,
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "exact", "64": "exact", "32": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def brightness(x: Tensor, step: float, rng: Rng) -> Iterator[Tensor]:
    """In frame i the HSV value V of every pixel is V + (i − 15) · step, cut to [0, 1]."""
    for i in range(31):
        yield photometric.brightness(x, (i - 15) * step)
