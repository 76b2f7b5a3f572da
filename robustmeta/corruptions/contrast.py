"""Loss of contrast."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional import photometric
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="digital",
    version=2,
    tables={
        "224": (0.4, 0.3, 0.2, 0.1, 0.05),
        "64": (0.4, 0.3, 0.2, 0.1, 0.05),
        "32": (0.75, 0.5, 0.4, 0.3, 0.15),
        "ink-28": (0.69, 0.583, 0.51, 0.451, 0.392),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "exact", "64": "exact", "32": "exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def contrast(x: Tensor, factor: float, rng: Rng) -> Tensor:
    """μ + factor · (x − μ), cut to [0, 1]; μ is the mean of each channel of each image."""
    return photometric.contrast(x, factor)
