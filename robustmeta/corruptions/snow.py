"""Snow: flakes in front of a picture that is whitened."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.snow import fallen, flakes, middle, under_snow, whole_bytes
from robustmeta.rng import Rng

PEER, PAPERS = "imagecorruptions", "hendrycks"


@corruption(
    family="weather",
    tables={
        "224": (
            (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8, PEER),
            (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7, PEER),
            (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7, PEER),
            (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65, PEER),
            (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55, PEER),
        ),
        "64": (
            (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.8, PAPERS),
            (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.8, PAPERS),
            (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.7, PAPERS),
            (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.65, PAPERS),
            (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.6, PAPERS),
        ),
        "32": (
            (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95, PAPERS),
            (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9, PAPERS),
            (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9, PAPERS),
            (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85, PAPERS),
            (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8, PAPERS),
        ),
        "ink-28": (
            (0.06, 0.3, 1.5, 0.5, 8, 3.0, 0.8, PAPERS),
            (0.15, 0.3, 1.5, 0.5, 8, 3.0, 0.8, PAPERS),
            (0.2, 0.3, 1.5, 0.5, 8, 3.0, 0.8, PAPERS),
            (0.24, 0.3, 1.5, 0.5, 8, 3.0, 0.8, PAPERS),
            (0.27, 0.3, 1.5, 0.5, 8, 3.0, 0.8, PAPERS),
        ),
    },
    laws={"224": PEER, "64": PAPERS, "32": PAPERS, "ink-28": "robustmeta"},
    parity={"224": "injected-exact", "64": "none", "32": "none", "ink-28": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def snow(x: Tensor, level: tuple[float, float, float, float, int, float, float, str], rng: Rng) -> Tensor:
    """The sum mix · x + (1 − mix) · max(x, 1.5 · luma(x) + 0.5) + S + (S turned by 180°), cut to [0, 1].

    A level is (loc, scale, zoom, threshold, radius, σ, mix, law). S is N(loc, scale²) magnified by zoom, 0 below the
    threshold, smeared over 2 · radius + 1 pixels with fading σ at an angle between −135° and −45°. The law says what
    differs: "hendrycks" keeps the middle of the magnified layer and cuts it to 8 bits before it is smeared;
    "imagecorruptions" smears all of it and keeps its upper left part. Both round the smeared layer to 8 bits.
    """
    loc, scale, zoom, threshold, radius, sigma, mix, law = level
    height, width = x.shape[2:]
    layer = flakes(rng.normal(height, width), loc, scale, zoom, threshold)
    if {"hendrycks": True, "imagecorruptions": False}[law]:
        layer = whole_bytes(middle(layer, height, width))
    degrees = rng.uniform(1)[:, 0].double().mul_(90).sub_(135)
    layer = fallen(layer, degrees, radius, sigma)[..., :height, :width]
    return under_snow(x, layer.to(x.device), mix)
