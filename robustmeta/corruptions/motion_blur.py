"""A camera that moves along a line while the picture is taken."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional import motion
from robustmeta.rng import Rng

WIDEST = 45.0
"""Degrees by which the direction differs from the horizontal at most."""


@corruption(
    family="blur",
    tables={
        "224": ((10, 3, "cut"), (15, 5, "cut"), (15, 8, "cut"), (15, 12, "cut"), (20, 15, "cut")),
        "64": ((10, 1, "round"), (10, 1.5, "round"), (10, 2, "round"), (10, 2.5, "round"), (12, 3, "round")),
        "32": ((6, 1, "round"), (6, 1.5, "round"), (6, 2, "round"), (8, 2, "round"), (9, 2.5, "round")),
        "ink-28": ((4, 1.8, "cut"), (6, 2.5, "cut"), (7, 3.3, "cut"), (9, 4.1, "cut"), (11, 5, "cut")),
    },
    laws={"224": "imagecorruptions", "64": "hendrycks", "32": "hendrycks", "ink-28": "robustmeta"},
    monotone=False,  # (6, 2) and (8, 2) differ by less than a level
    parity={"224": "injected-exact", "64": "none", "32": "none", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def motion_blur(x: Tensor, level: tuple[int, float, str], rng: Rng) -> Tensor:
    """Blurred along a line at an angle of −45° to 45° to the rows; level is (radius, σ, "cut" or "round").

    The trace has 2 · radius + 1 points of weights exp(−i² / 2σ²) on one side of each pixel; see ``motion.motion_blur``.
    ImageMagick, which made the published images of 64 and 32 pixels, rounds to 8 bits; else the caller cuts.
    """
    radius, sigma, storage = level
    degrees = rng.uniform().double().mul_(2 * WIDEST).sub_(WIDEST)
    blurred = motion.motion_blur(x, degrees, radius, sigma)
    if {"cut": False, "round": True}[storage]:
        blurred.mul_(255).round_().div_(255)
    return blurred.clamp_(0, 1)
