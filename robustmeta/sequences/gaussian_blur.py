"""A picture that grows soft."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.blur import smooth
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="blur",
    tables={"224": ((0.25, 0.035, 6),), "64": ((0.35, 0.014, 7),), "32": ((0.3, 0.015, 7),)},
    frames=31,
    validation=True,
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "exact", "64": "exact", "32": "exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def gaussian_blur(x: Tensor, level: tuple[float, float, float], rng: Rng) -> Iterator[Tensor]:
    """Frame i is filtered by a Gaussian of σ = first + i · step pixels; level is (first, step, cut).

    The filter is cut off at cut · σ, and beyond the border its pixels go on.
    """
    first, step, cut = level
    for i in range(31):
        yield smooth(x, first + i * step, cut).clamp_(0, 1)
