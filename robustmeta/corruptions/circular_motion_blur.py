"""Blur by a turn around the middle of the image."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.rotate import spin
from robustmeta.rng import Rng


@corruption(
    family="blur",
    tables={
        "32": (2.8, 3.6, 4.4, 5.2, 6),
    },
    laws={"32": "augmentation-corruption"},
    parity={"32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def circular_motion_blur(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """The mean of 21 turns by −1.5·s to 1.5·s degrees with weights e^(−2u²), u from −1 to 1; cut to [0, 1].

    Turned pictures are black outside, so that corners darken. Nothing is drawn.
    """
    return spin(x, 1.5 * severity).clamp_(0, 1).to(x.device)
