"""JPEG artefacts."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.compression import jpeg
from robustmeta.functional.quantise import through_bytes
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="digital",
    version=2,
    tables={
        "224": (25, 18, 15, 10, 7),
        "64": (65, 58, 50, 40, 25),
        "32": (80, 65, 58, 50, 40),
        "ink-28": (20, 10, 6, 3, 1),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "exact", "64": "exact", "32": "exact", "ink-28": "none"},
    in_bytes=jpeg,
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def jpeg_compression(x: Tensor, quality: int, rng: Rng) -> Tensor:
    """Through a JPEG file of that quality (1 to 95), as Pillow writes and reads it; x is rounded to 8 bits before."""
    return through_bytes(x, lambda k: jpeg(k, quality))
