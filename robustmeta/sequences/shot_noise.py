"""A picture taken again and again with few photons."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.poisson import shot
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="noise",
    tables={"224": (300, 120, 60), "64": (500, 250, 125), "32": (700, 400, 200)},
    frames=31,
    reference="first",
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "distributional", "64": "distributional", "32": "distributional"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def shot_noise(x: Tensor, photons: float, rng: Rng) -> Iterator[Tensor]:
    """The clean image, then 30 times fresh counts of light, Poisson(photons · x) / photons, cut to [0, 1]."""
    yield x
    for frame in range(1, 31):
        yield shot(x, photons, rng.child("frame", frame).uniform(*x.shape[1:]))
