"""Overexposure."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional import photometric
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="weather",
    tables={
        "224": (0.1, 0.2, 0.3, 0.4, 0.5),
        "64": (0.1, 0.2, 0.3, 0.4, 0.5),
        "32": (0.05, 0.1, 0.15, 0.2, 0.3),
        "ink-28": (0.15, 0.2, 0.25, 0.29, 0.33),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "exact", "64": "exact", "32": "exact", "ink-28": "none"},
    in_bytes=photometric.brighter,
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def brightness(x: Tensor, shift: float, rng: Rng) -> Tensor:
    """Adds ``shift`` to the HSV value, cut to [0, 1]; gray images get brighter by as much. In 8 bits, as published."""
    return photometric.brightness(x, shift)
