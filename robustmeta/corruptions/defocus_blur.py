"""Defocus: the image of a point is a disk."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blur import aliased_disk, correlate
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="blur",
    version=2,
    tables={
        "224": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        "64": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        "32": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        "ink-28": ((1.69, 0.5), (2.34, 0.5), (2.85, 0.5), (3.48, 0.5), (3.96, 0.5)),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "exact", "64": "exact", "32": "exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def defocus_blur(x: Tensor, level: tuple[float, float], rng: Rng) -> Tensor:
    """Filtered by a disk of radius ``level[0]`` softened by a Gaussian of σ ``level[1]``, in pixels; cut to [0, 1]."""
    radius, sigma = level
    return correlate(x, aliased_disk(radius, sigma)).clamp_(0, 1)
