"""Where the strengths in ``robustmeta/corruptions/albumentations_levels.py`` come from.

python tests/benchmarks/calibrate_albumentations.py            PSNR in dB of every level at 28, 64 and 224 pixels
python tests/benchmarks/calibrate_albumentations.py --fit      strengths that give the target PSNR at 64 pixels

The images are the photographs of $ROBUSTMETA_TEST_DATA/pacs_subset (84 of them, scaled by Pillow); the PSNR is that of
the mean square error over all images.
"""

import math
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from robustmeta.corruptions.albumentations_levels import LEVELS, SWEEPS
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

TARGETS = (26, 23, 20, 17, 14)
SIZE = 64
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BRACKETS: dict[str, tuple[float, float]] = {  # mild and strong ends to search between
    "AdditiveNoise": (0.01, 0.5),
    "GaussNoise": (0.01, 0.5),
    "ISONoise": (0.1, 2),
    "MultiplicativeNoise": (0.05, 1),
    "PixelDropout": (0.003, 0.3),
    "SaltAndPepper": (0.003, 0.3),
    "ShotNoise": (0.003, 0.3),
    "GaussianBlur": (0.4, 12),
    "ZoomBlur": (1.02, 3),
    "PlasmaShadow": (0.05, 1),
    "RandomFog": (0.002, 0.5),
    "RandomShadow": (0.05, 1),
    "RandomSnow": (1.05, 3),
    "Spatter": (0.55, 0.75),
    "ChromaticAberration": (0.02, 3),
    "Emboss": (0.02, 1),
    "RingingOvershoot": (3, 0.15),
    "Sharpen": (0.02, 1),
    "HueSaturationValue": (3, 80),
    "PlasmaBrightnessContrast": (0.03, 0.9),
    "RandomBrightnessContrast": (0.02, 0.5),
    "RandomGamma": (105, 400),
    "RandomToneCurve": (0.03, 1),
    "RGBShift": (5, 100),
    "ElasticTransform": (2, 200),
    "OpticalDistortion": (0.003, 0.5),
    "Rotate": (0.3, 25),
    "ThinPlateSpline": (0.003, 0.4),
}


@cache
def photographs(folder: Path, size: int) -> torch.Tensor:
    """All of them, uint8 (84, 3, size, size)."""
    files = sorted((folder / "pacs_subset" / "photo").glob("*/*"))
    pictures = [Image.open(f).convert("RGB").resize((size, size), Image.Resampling.LANCZOS) for f in files]
    return torch.stack([torch.from_numpy(np.array(p)) for p in pictures]).movedim(-1, 1)


def psnr(name: str, level: object, images: torch.Tensor) -> float:
    """-10 log10 of the mean square error, in units of the full range."""
    made = resolve("corruptions", f"albumentations:{name}")
    assert isinstance(made, Corruption)
    out = made(images, level, Rng(0, ("calibrate",), range(len(images))))
    error = float(((out.double() - images.double()) / 255).square().mean())
    return -10 * math.log10(error) if error else math.inf


def fitted(name: str, images: torch.Tensor, target: float) -> float:
    """The strength with that PSNR, by bisection of its logarithm; the strong end where none is strong enough."""
    level = SWEEPS[name][0]
    low, high = (math.log(end) for end in BRACKETS[name])
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if psnr(name, level(math.exp(middle)), images) > target else (low, middle)
    return math.exp(high)


def lines(name: str, folder: Path, fit: bool) -> Iterator[str]:
    """What to print of a transform."""
    if not fit:
        for size in (28, SIZE, 224):
            found = [psnr(name, level, photographs(folder, size)) for level in LEVELS[name]]
            yield f"{name:26} {size:4} {' '.join(f'{v:6.1f}' for v in found)}"
    elif name in BRACKETS:
        found = [fitted(name, photographs(folder, SIZE), target) for target in TARGETS]
        yield f"{name:26} {', '.join(f'{v:.3g}' for v in found)}"


def main() -> None:
    """Print as asked."""
    folder = Path(os.environ.get("ROBUSTMETA_TEST_DATA", DATA))
    for name in [a for a in sys.argv[1:] if not a.startswith("-")] or LEVELS:
        for line in lines(name, folder, "--fit" in sys.argv):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
