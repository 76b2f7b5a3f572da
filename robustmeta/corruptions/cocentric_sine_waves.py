"""Wavy rings around a random centre."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.blocks import in_blocks
from robustmeta.functional.waves import rings
from robustmeta.rng import Rng


@corruption(
    family="noise",
    tables={
        "224": (3, 5, 8, 9, 10),
    },
    laws={"224": "augmentation-corruption"},
    parity={"224": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def cocentric_sine_waves(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Adds 12.8·s/255 · (frac((r + A·sin(kθ)) / w) − ½) to all channels; cut to [0, 1].

    The centre is uniform in the image, k uniform on (0, 10) and not whole, so that the rings have a seam; A and w are
    uniform on (0, N/10) pixels, N the shorter side. As published the profile is a sawtooth, and w near 0 gives noise.
    """
    u = rng.uniform(5).to(x.device)
    height, width = x.shape[2:]
    reach = min(height, width) / 10
    centre = u[:, :2] * u.new_tensor([height, width])
    amplitude = 12.8 * severity / 255

    def law(x: Tensor, centre: Tensor, waves: Tensor, ripple: Tensor, spacing: Tensor) -> Tensor:
        wave = rings(height, width, centre, waves, ripple, spacing)
        return (x + wave.mul_(amplitude)[:, None]).clamp_(0, 1)

    spacing = (u[:, 4] * reach).clamp(min=1e-6)  # the draw may be 0
    return in_blocks(law, x, centre, 10 * u[:, 2], u[:, 3] * reach, spacing)
