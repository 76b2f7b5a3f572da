"""Gaussian noise, of standard deviation in units of the full range."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.noise import additive
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="noise",
    version=2,
    tables={
        "224": (0.08, 0.12, 0.18, 0.26, 0.38),
        "64": (0.04, 0.08, 0.12, 0.15, 0.18),
        "32": (0.04, 0.06, 0.08, 0.09, 0.10),
        "ink-28": (0.17, 0.225, 0.264, 0.309, 0.359),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def gaussian_noise(x: Tensor, std: float, rng: Rng) -> Tensor:
    """Adds std · N(0, 1) to every channel of every pixel on its own; cut to [0, 1]."""
    return additive(x, std, rng.normal(*x.shape[1:]).to(x.device))
