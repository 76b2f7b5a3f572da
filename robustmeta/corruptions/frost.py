"""Frost: pictures of ice mixed into the image, drawn by us or photographs of the user's."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.frost import frost_like
from robustmeta.functional.luma import like
from robustmeta.functional.texture import Picture, crops
from robustmeta.registry import ComponentError
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

PAPER = "Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions"
TABLES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "224": ((1.0, 0.4, 1.1), (0.8, 0.6, 1.1), (0.7, 0.7, 1.1), (0.65, 0.7, 1.1), (0.6, 0.75, 1.1)),
    "64": ((1.0, 0.3, 0.3), (0.9, 0.4, 0.3), (0.8, 0.45, 0.3), (0.75, 0.5, 0.3), (0.7, 0.55, 0.3)),
    "32": ((1.0, 0.2, 0.2), (1.0, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
    "ink-28": ((0.97, 0.22, 0.2), (0.9, 0.3, 0.2), (0.85, 0.37, 0.2), (0.8, 0.43, 0.2), (0.75, 0.5, 0.2)),
}
LAWS = {"224": "imagecorruptions", "64": "hendrycks", "32": "hendrycks", "ink-28": "robustmeta"}
DRAWN = "frost-like texture (procedural)"
USED = 5
"""Pictures in use: the published programs have six and draw from the first five."""
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

Level = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Frost:
    """The law of frost with given pictures."""

    pictures: tuple[Picture, ...]

    def __call__(self, x: Tensor, level: Level, rng: Rng) -> Tensor:
        """Mix x (N, C, H, W) with the pictures; the law is that of ``frost``."""
        keep, ice, factor = level
        texture = crops(self.pictures, factor, (x.shape[2], x.shape[3]), rng).to(x.device)
        pixels = x.mul(255).round_().double().mul_(keep)
        return like(x, texture.double().mul_(ice).add_(pixels).floor_().float().div_(255).clamp_(0, 1))


@cache
def _drawn() -> Frost:
    return Frost(tuple(Picture(pixels) for pixels in frost_like()))


@corruption(
    family="weather",
    tables=TABLES,
    monotone=False,  # a level may show less of the image under as much frost
    laws={table: f"{law}, {DRAWN}" for table, law in LAWS.items()},
    parity=dict.fromkeys(LAWS, "none"),
    paper=PAPER,
)
def frost(x: Tensor, level: Level, rng: Rng) -> Tensor:
    """The sum a · x + b · T, cut to [0, 1]: T is a random part of one of five pictures of frost, drawn by a program.

    A level is (a, b, scale); the pictures, 512 x 512, are scaled before they are cut. The published benchmarks use
    photographs: ``frost_from`` takes yours. Images are taken in 8 bits and the sum is cut down to 8 bits here: with
    a = b = 0.7 it is often a whole number, which float64 as published puts on the one side and float32 on the other.
    Gray images are frosted in colour and get the luma of the result.
    """
    return _drawn()(x, level, rng)


def frost_from(folder: str | Path) -> Corruption:
    """The published law with your own photographs; their bytes become part of what identifies the corruption.

    In a study it is named by the file that holds it, ``my_frost.py:frost``:

        from robustmeta.corruptions.frost import frost_from
        frost = frost_from("photos/")

    Args:
        folder: relative to the current directory. Its images are taken in the order of their names, the first five.

    Raises:
        ComponentError: no image in the folder, or one that cannot be read.
    """
    home = Path(folder)
    files = sorted(f for f in home.glob("*") if f.suffix.lower() in SUFFIXES)[:USED]
    if not files:
        raise ComponentError(f"{home}: no images of frost; expected files that end in {', '.join(SUFFIXES)}")
    contents = [file.read_bytes() for file in files]
    source = hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in contents)).hexdigest()
    law = Frost(tuple(_decoded(file, data) for file, data in zip(files, contents, strict=True)))
    return Corruption(
        "frost",
        law,
        TABLES,
        "weather",
        monotone=False,  # it need not be so with every picture
        paper=PAPER,
        source=source,
        origin=f"{len(files)} pictures in {home.name}",
        module=__name__,
        laws=LAWS,
        parity={table: "injected-exact" if table == "224" else "none" for table in TABLES},
        in_threads=True,
    )


def _decoded(file: Path, data: bytes) -> Picture:
    made = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if made is None:
        raise ComponentError(f"{file}: not an image that OpenCV can read")
    return Picture(made[..., ::-1].astype(np.uint8, order="C"))
