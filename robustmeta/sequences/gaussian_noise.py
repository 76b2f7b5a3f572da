"""A picture taken again and again with Gaussian noise."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.noise import additive
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="noise",
    tables={"224": (0.03, 0.05, 0.08), "64": (0.025, 0.05, 0.075), "32": (0.02, 0.04, 0.06)},
    frames=31,
    reference="first",
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def gaussian_noise(x: Tensor, std: float, rng: Rng) -> Iterator[Tensor]:
    """The clean image, then 30 times the image with fresh std · N(0, 1) in every channel of every pixel."""
    yield x
    for frame in range(1, 31):
        yield additive(x, std, rng.child("frame", frame).normal(*x.shape[1:]).to(x.device))
