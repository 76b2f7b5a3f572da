"""Drops of water that run down the lens."""

from collections.abc import Iterator

from torch import Tensor

from robustmeta.functional.frames import run_down
from robustmeta.functional.luma import like
from robustmeta.functional.spatter import liquid, water
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import sequence

COLOUR = (175 / 255, 238 / 255, 238 / 255)


@sequence(
    family="weather",
    tables={
        "224": ((0.65, 0.27, 3.7, 0.69, 0.6, (0.05, 0.1, 0.15, 0.7)),),
        "64": ((0.6, 0.25, 1.75, 0.7, 0.6, (0.2, 0.8)),),
        "32": ((0.6, 0.265, 1.75, 0.7, 0.6, (0.2, 0.8)),),
    },
    frames=31,
    validation=True,
    laws={"224": "ImageNet-P", "64": "Tiny-ImageNet-P", "32": "CIFAR-10-P"},
    parity={"224": "injected-exact", "64": "injected-exact", "32": "injected-exact"},
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def spatter(
    x: Tensor, level: tuple[float, float, float, float, float, tuple[float, ...]], rng: Rng
) -> Iterator[Tensor]:
    """The sum x + m · (175, 238, 238)/255; m is the mask of drops, whose liquid runs down a little after each frame.

    A level is (loc, scale, σ, threshold, strength, run): the first five as of the corruption, the last the weights of
    ``run_down``.
    """
    loc, scale, sigma, threshold, strength, run = level
    field = liquid(rng.normal(*x.shape[2:]), loc, scale, sigma, threshold)
    colour = x.new_tensor(COLOUR)[:, None, None]
    for _ in range(31):
        mask = water(field, strength)[:, None].to(x.device)
        yield like(x, (x + mask * colour).clamp_(0, 1))
        field = run_down(field, run)
