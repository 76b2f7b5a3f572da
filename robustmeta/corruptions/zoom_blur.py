"""A lens that zooms in while the picture is taken."""

import numpy as np
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.zoom import zoom_mean
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"
FINE = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))


@corruption(
    family="blur",
    tables={
        "224": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        "64": FINE,
        "32": FINE,
        "ink-28": ((1.28, 0.02), (1.5, 0.02), (1.7, 0.02), (1.9, 0.02), (2.1, 0.02)),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "exact", "64": "exact", "32": "exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def zoom_blur(x: Tensor, level: tuple[float, float], rng: Rng) -> Tensor:
    """(x + Σ zoom(x, f)) / (n + 1) over the n factors f from 1 in steps, so x counts twice; see ``zoom.placed``.

    A level is (end, step): the factors are NumPy's arange(1, end, step), whose rounding lets some ends in.
    """
    factors = tuple(float(f) for f in np.arange(1, *level))
    return zoom_mean(x, factors).clamp_(0, 1)
