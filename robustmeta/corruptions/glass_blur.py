"""Frosted glass: pixels trade places with near ones, between two soft blurs."""

from torch import Tensor

from robustmeta.core import to_bytes, to_float
from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blur import smooth
from robustmeta.functional.glass import sweep
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="blur",
    tables={
        "224": ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        "64": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        "32": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        "ink-28": ((0.5, 1, 1), (0.45, 1, 2), (0.8, 1, 2), (0.7, 1, 3), (0.4, 2, 2)),
    },
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact", "ink-28": "none"},
    monotone=False,  # two quantities change from level to level, at times in opposite directions
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def glass_blur(x: Tensor, level: tuple[float, int, int], rng: Rng) -> Tensor:
    """Smoothed by a Gaussian of σ, cut to 8 bits, shuffled, smoothed again; level is (σ, reach, passes).

    In each pass every pixel, from the lower right to the upper left, takes the value of one that is up to ``reach``
    left or above and up to ``reach`` − 1 right or below of it; see ``sweep``. The published program means to swap the
    two and copies, which is kept, for one channel too. A margin of ``reach`` + 1 pixels is not shuffled, below and on
    the right of ``reach`` − 1.
    """
    sigma, reach, passes = level
    height, width = x.shape[2:]
    size = (max(0, height - 2 * reach), max(0, width - 2 * reach), 2)
    source = sweep(rng.integers(-reach, reach, *size), height, width, reach)
    for _ in range(passes - 1):
        source = source.gather(1, sweep(rng.integers(-reach, reach, *size), height, width, reach))
    pixels = to_bytes(smooth(x, sigma)).flatten(2)
    shuffled = pixels.gather(2, source.to(x.device)[:, None].expand(-1, x.shape[1], -1)).view(x.shape)
    return smooth(to_float(shuffled), sigma).clamp_(0, 1)
