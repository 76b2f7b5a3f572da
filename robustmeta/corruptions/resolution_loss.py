"""Fewer pixels."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.occlude import low_resolution
from robustmeta.rng import Rng


@corruption(
    family="digital",
    levels=(1.5, 2.0, 3.0, 4.0, 6.0),
    laws={"levels": "ours"},
    parity={"levels": "none"},
    paper="Ours; what it does: Koziarski and Cyganek 2018, Impact of Low Resolution on Image Recognition with Deep "
    "Neural Networks",
)
def resolution_loss(x: Tensor, factor: float, rng: Rng) -> Tensor:
    """Reduced to round(H / factor) x round(W / factor) pixels without aliasing, and enlarged again, both bilinearly.

    Unlike pixelate it leaves no blocks: what is lost is detail alone.
    """
    return low_resolution(x, factor)
