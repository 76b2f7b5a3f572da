"""Shot noise: light comes in photons."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.poisson import shot
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="noise",
    tables={
        "224": (60, 25, 12, 5, 3),
        "64": (250, 100, 50, 30, 15),
        "32": (500, 250, 100, 75, 50),
        "ink-28": (1.4, 0.75, 0.55, 0.43, 0.33),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def shot_noise(x: Tensor, photons: float, rng: Rng) -> Tensor:
    """The brightness n / photons, cut to 1; n is Poisson of mean photons · x, in every value on its own."""
    return shot(x, photons, rng.uniform(*x.shape[1:]))
