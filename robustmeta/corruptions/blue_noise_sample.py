"""Pixels dropped evenly, by noise of mostly high frequencies."""

import math

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.spectral import phase_noise, wavenumber
from robustmeta.rng import Rng


@corruption(
    family="occlusion",
    tables={
        "224": (0.8, 1.6, 2.4, 4.0, 5.6),
        "32": (0.7, 1.4, 2.1, 3.5, 4.2),
    },
    laws={"224": "augmentation-corruption", "32": "augmentation-corruption"},
    parity={"224": "none", "32": "none"},
    paper="Mintun, Kirillov and Xie 2021, On Interaction Between Augmentations and Corruptions",
)
def blue_noise_sample(x: Tensor, severity: float, rng: Rng) -> Tensor:
    """Keeps pixels where n > 0.3·s − 2.5 and blackens the others, n of standard deviation 1 and amplitude |k|.

    The share of black pixels is near Φ(0.3·s − 2.5), Φ the normal distribution function; at s = 0 it is 0.6 %. k counts
    waves a shorter side. With an odd height or width the field is made a pixel larger and cut.
    """
    height, width = x.shape[2:]
    amplitude = wavenumber(height + height % 2, width + width % 2)
    phase = rng.uniform(1, len(amplitude), (width + 1) // 2).mul_(2 * math.pi)
    noise = phase_noise(phase, amplitude)[..., :height, :width]
    return x * (noise > 0.3 * severity - 2.5).to(x.device)
