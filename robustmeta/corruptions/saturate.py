"""Colours too pale or too strong."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional import photometric
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="digital",
    tables={
        "224": ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
        "64": ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (30.0, 0.2)),
        "32": ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
    },
    monotone=False,  # from pale to strong
    laws={"224": SAME, "64": SAME, "32": SAME},
    parity={"224": "exact", "64": "exact", "32": "exact"},
    in_bytes=photometric.saturated,
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def saturate(x: Tensor, level: tuple[float, float], rng: Rng) -> Tensor:
    """The HSV saturation S becomes a · S + b, cut to [0, 1]; a level is (a, b). In 8 bits, as published.

    An image of one channel has no saturation and stays as it is, so there is no table for ink.
    """
    a, b = level
    return photometric.saturate(x, a, b)
