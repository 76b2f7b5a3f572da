"""A soft, round blur."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blur import smooth
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="blur",
    tables={
        "224": (1, 2, 3, 4, 6),
        "64": (0.5, 0.75, 1, 1.25, 1.5),
        "32": (0.4, 0.6, 0.7, 0.8, 1),
        "ink-28": (1.05, 1.35, 1.65, 1.95, 2.25),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "exact", "64": "exact", "32": "exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def gaussian_blur(x: Tensor, sigma: float, rng: Rng) -> Tensor:
    """Filtered by a Gaussian of σ ``sigma`` pixels, cut off at 4 σ; beyond the border its pixels go on."""
    return smooth(x, sigma).clamp_(0, 1)
