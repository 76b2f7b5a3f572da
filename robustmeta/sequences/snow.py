"""Snow whose fall turns."""

from collections.abc import Iterator

import torch
from torch import Tensor

from robustmeta.functional.snow import fallen, flakes, middle, under_snow, whole_bytes
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence


@sequence(
    family="weather",
    tables={
        "224": ((0.05, 0.3, 3, 0.5, 14, 4, 0.85),),
        "64": ((0.05, 0.28, 2, 0.5, 10, 2.5, 0.85),),
        "32": ((0.05, 0.3, 2, 0.5, 10, 2, 0.85),),
    },
    frames=31,
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "none", "64": "none", "32": "none"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def snow(x: Tensor, level: tuple[float, float, float, float, int, float, float], rng: Rng) -> Iterator[Tensor]:
    """The same flakes in every frame, smeared at 4i − 150 degrees in frame i, over a whitened picture.

    A level is (loc, scale, zoom, threshold, radius, σ, mix), as of the corruption; its smear stands for ImageMagick's.
    """
    loc, scale, zoom, threshold, radius, sigma, mix = level
    height, width = x.shape[2:]
    layer = whole_bytes(middle(flakes(rng.normal(height, width), loc, scale, zoom, threshold), height, width))
    for i in range(31):
        degrees = torch.full((len(x),), 4.0 * i - 150)
        yield under_snow(x, fallen(layer, degrees, radius, sigma).to(x.device), mix)
