"""Coarse pixels."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional import resample
from robustmeta.functional.quantise import through_bytes
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="digital",
    tables={
        "224": (0.6, 0.5, 0.4, 0.3, 0.25),
        "64": (0.9, 0.8, 0.7, 0.6, 0.5),
        "32": (0.95, 0.9, 0.85, 0.75, 0.65),
        "ink-28": (0.36, 0.29, 0.25, 0.22, 0.18),
    },
    monotone=False,  # stripes two pixels wide outlive a scale of 0.5, but not one of 0.6
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "exact", "64": "exact", "32": "exact", "ink-28": "none"},
    in_bytes=resample.pixelate,
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def pixelate(x: Tensor, scale: float, rng: Rng) -> Tensor:
    """Shrunk to ⌊scale · H⌋ x ⌊scale · W⌋ pixels by means over boxes and enlarged by nearest pixels, in 8 bits."""
    return through_bytes(x, lambda k: resample.pixelate(k, scale))
