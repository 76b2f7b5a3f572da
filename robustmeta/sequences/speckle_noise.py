"""A picture taken again and again with noise in proportion to the light."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.noise import multiplicative
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="noise",
    tables={"224": (0.05, 0.1, 0.15), "64": (0.05, 0.1, 0.15), "32": (0.05, 0.07, 0.1)},
    frames=31,
    reference="first",
    validation=True,
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def speckle_noise(x: Tensor, std: float, rng: Rng) -> Iterator[Tensor]:
    """The clean image, then 30 times x + x · std · N(0, 1) with fresh noise in every channel of every pixel."""
    yield x
    for frame in range(1, 31):
        yield multiplicative(x, std, rng.child("frame", frame).normal(*x.shape[1:]).to(x.device))
