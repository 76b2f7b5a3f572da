"""Multiplicative noise, as of a laser or a radar."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.noise import multiplicative
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="noise",
    tables={
        "224": (0.15, 0.2, 0.35, 0.45, 0.6),
        "64": (0.15, 0.2, 0.25, 0.3, 0.35),
        "32": (0.06, 0.1, 0.12, 0.16, 0.2),
        "ink-28": (0.5, 0.9, 1.5, 2.5, 5),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def speckle_noise(x: Tensor, std: float, rng: Rng) -> Tensor:
    """Multiplies every channel of every pixel by 1 + std · N(0, 1) of its own; cut to [0, 1]."""
    return multiplicative(x, std, rng.normal(*x.shape[1:]).to(x.device))
