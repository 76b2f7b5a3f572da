"""Impulse noise: pixels that are stuck at white or black."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.noise import salt_and_pepper
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="noise",
    tables={
        "224": (0.03, 0.06, 0.09, 0.17, 0.27),
        "64": (0.01, 0.02, 0.05, 0.08, 0.14),
        "32": (0.01, 0.02, 0.03, 0.05, 0.07),
        "ink-28": (0.04, 0.07, 0.1, 0.13, 0.17),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def impulse_noise(x: Tensor, amount: float, rng: Rng) -> Tensor:
    """Makes every channel of every pixel, each on its own, 1 or 0 (equally likely) with probability ``amount``."""
    hit, kind = (rng.uniform(*x.shape[1:]).to(x.device) for _ in range(2))
    return salt_and_pepper(x, amount, hit, kind)
