"""Coloured noise of mostly low frequencies, with a colour cast."""

import math

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.spectral import phase_noise, wavenumber
from robustmeta.rng import Rng


@corruption(
    family="noise",
    tables={
        "224": (1, 2, 3, 4, 5),
        "32": (2.5, 4, 5.5, 6.5, 7),
    },
    laws={"224": "augmentation-corruption", "32": "augmentation-corruption"},
    parity={"224": "none", "32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def brownish_noise(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Adds 6.4·s/255 · n to every channel, n of standard deviation 1 and amplitude 1/(|k|² + 1); cut to [0, 1].

    The channels have fields of their own; a gray image has one. As published frequency 0 is kept, which shifts each
    channel as a whole, by 0.7 standard deviations in the root mean square. k counts waves a shorter side. With an odd
    height or width the field is made a pixel larger and cut.
    """
    height, width = x.shape[2:]
    amplitude = 1 / (wavenumber(height + height % 2, width + width % 2).square() + 1)
    phase = rng.uniform(x.shape[1], len(amplitude), (width + 1) // 2).mul_(2 * math.pi)
    noise = phase_noise(phase, amplitude)[..., :height, :width]
    return noise.to(x.device).mul(6.4 * severity / 255).add_(x).clamp_(0, 1)
