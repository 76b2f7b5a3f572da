"""Spatter: drops of water or splashes of mud on the lens."""

import torch
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.luma import like
from robustmeta.functional.spatter import liquid, mud, water
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"
KINDS = {"water": (water, (175 / 255, 238 / 255, 238 / 255)), "mud": (mud, (63 / 255, 42 / 255, 20 / 255))}
"""Masks and colours, red, green and blue."""


@corruption(
    family="weather",
    tables={
        "224": (
            (0.65, 0.3, 4.0, 0.69, 0.6, "water"),
            (0.65, 0.3, 3.0, 0.68, 0.6, "water"),
            (0.65, 0.3, 2.0, 0.68, 0.5, "water"),
            (0.65, 0.3, 1.0, 0.65, 1.5, "mud"),
            (0.67, 0.4, 1.0, 0.65, 1.5, "mud"),
        ),
        "64": (
            (0.62, 0.1, 0.7, 0.7, 0.6, "water"),
            (0.65, 0.1, 0.8, 0.7, 0.6, "water"),
            (0.65, 0.3, 1.0, 0.69, 0.6, "water"),
            (0.65, 0.1, 0.7, 0.68, 0.6, "mud"),
            (0.65, 0.1, 0.5, 0.67, 0.6, "mud"),
        ),
        "32": (
            (0.62, 0.1, 0.7, 0.7, 0.5, "water"),
            (0.65, 0.1, 0.8, 0.7, 0.5, "water"),
            (0.65, 0.3, 1.0, 0.69, 0.5, "water"),
            (0.65, 0.1, 0.7, 0.69, 0.6, "mud"),
            (0.65, 0.1, 0.5, 0.68, 0.6, "mud"),
        ),
        "ink-28": (
            (0.65, 0.3, 1.0, 0.7, 0.9, "water"),
            (0.65, 0.3, 1.0, 0.65, 0.9, "water"),
            (0.65, 0.3, 1.0, 0.635, 1.0, "water"),
            (0.65, 0.3, 1.0, 0.615, 0.8, "mud"),
            (0.65, 0.3, 1.0, 0.6, 0.8, "mud"),
        ),
    },
    monotone=False,  # from clear water to dark mud
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def spatter(x: Tensor, level: tuple[float, float, float, float, float, str], rng: Rng) -> Tensor:
    """Water adds, x + m · (175, 238, 238)/255; mud covers, (1 − m) · x + m · (63, 42, 20)/255; m is the splashes' mask.

    A level is (loc, scale, σ, threshold, strength, "water" or "mud"): Gaussian noise smoothed by σ is liquid above the
    threshold. Strength is the largest m of water, and for mud the σ of its rim, in pixels. Gray images are splashed as
    equal red, green and blue, and get the luma of the result.
    """
    loc, scale, sigma, threshold, strength, kind = level
    show, colour = KINDS[kind]
    mask = show(liquid(rng.normal(*x.shape[2:]), loc, scale, sigma, threshold), strength)[:, None].to(x.device)
    under = x * (1 - mask) if show is mud else x
    return like(x, (under + mask * torch.tensor(colour, device=x.device)[:, None, None]).clamp_(0, 1))
