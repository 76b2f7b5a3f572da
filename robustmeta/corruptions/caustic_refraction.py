"""Seen through wavy water with caustics of light."""

from cv2 import BORDER_REFLECT
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.bilinear import displaced
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.blur import smooth
from robustmeta.functional.caustics import caustic, refraction, slopes
from robustmeta.rng import Rng


@corruption(
    family="geometry",
    tables={
        "224": (2.35, 3.2, 4.9, 6.6, 9.15),
    },
    laws={"224": "augmentation-corruption"},
    parity={"224": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def caustic_refraction(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """x(p + o) + s/5·(D_y − D_x), cut to [0, 1]; D are slopes of a caustic field, o the refraction at depth s·N/20.

    The field has a period of U(0.75, 1.25)·N pixels and a time of U(0.5, 2), N the shorter side. Sampling is bilinear
    on a black ground. As published the slopes see a field of 0 outside, which rims the image, and nearly flat places do
    not refract at all.
    """
    height, width = x.shape[2:]
    side = min(height, width)
    u = rng.uniform(2).to(x.device)

    def law(x: Tensor, time: Tensor, scale: Tensor) -> Tensor:
        dy, dx = slopes(smooth(caustic(height, width, scale, time), 1, border=BORDER_REFLECT))
        oy, ox = refraction(dy, dx, severity * side / 20)
        seen = displaced(x, oy, ox)
        return seen.add_((dy - dx).mul_(severity / 5)[:, None]).clamp_(0, 1)

    return in_blocks(law, x, 0.5 + 1.5 * u[:, 0], (0.75 + 0.5 * u[:, 1]) * side)
