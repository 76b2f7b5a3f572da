"""Fog: bright clouds over the picture."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.plasma import plasma, power_of_two
from robustmeta.rng import Rng

SAME = "hendrycks = imagecorruptions"


@corruption(
    family="weather",
    tables={
        "224": ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
        "64": ((0.4, 3.0), (0.7, 3.0), (1.0, 2.5), (1.5, 2.0), (2.0, 1.75)),
        "32": ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
        "ink-28": ((0.27, 2.0), (0.4, 2.0), (0.51, 2.0), (0.64, 2.0), (0.78, 2.0)),
    },
    monotone=False,  # a smaller decay makes rougher clouds, not brighter ones
    laws={"224": SAME, "64": SAME, "32": SAME, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def fog(x: Tensor, level: tuple[float, float], rng: Rng) -> Tensor:
    """(x + c · F) · X / (X + c): F in [0, 1] is a height map, X the image's largest value; level is (c, decay).

    The map's side is the power of two that holds the image; it is scaled to [0, 1] before it is cut to the image's
    upper left part, as published. A black image stays black.
    """
    thickness, decay = level
    height, width = x.shape[-2:]
    side = power_of_two(max(height, width))
    noise = rng.uniform(side * side).to(x.device)[:, : side * side - 1].mul(2).sub_(1)
    clouds = plasma(side, decay, noise)[:, None]
    low, high = clouds.amin((2, 3), keepdim=True), clouds.amax((2, 3), keepdim=True)
    brightest = x.amax((1, 2, 3), keepdim=True)
    shrink = brightest / (brightest + thickness)
    veil = (clouds[..., :height, :width] - low).mul_(thickness * shrink / (high - low))
    return (x * shrink).add_(veil).clamp_(0, 1)
