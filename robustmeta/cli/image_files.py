"""Image files of a folder: their names, and their pixels in and out without loss."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from robustmeta.core import DataError
from robustmeta.domains.files import SUFFIXES

Pixels = NDArray[np.uint8]
FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 1},  # up to three times as fast as 6; noise does not shrink anyway
    ".bmp": {"format": "BMP"},
    ".tif": {"format": "TIFF"},
    ".tiff": {"format": "TIFF"},
    ".webp": {"format": "WEBP", "lossless": True, "method": 2},
}
"""Suffixes whose files hold pixels exactly, written so."""
_COLOUR = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")
MODES = {"1": "L", "L": "L", "LA": "L", **dict.fromkeys(_COLOUR, "RGB")}
"""Pillow's modes of 8 bits or less -> gray or RGB."""


def find(folder: Path) -> Iterator[str]:
    """The images under a folder by their paths in it, sorted; linked folders are followed, hidden ones left out."""
    for here, folders, files in os.walk(folder, followlinks=True):
        real = Path(here).resolve()
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")) and _leads_on(real, f))
        for name in sorted(files):
            if not name.startswith(".") and PurePosixPath(name).suffix.lower() in SUFFIXES:
                yield Path(here, name).relative_to(folder).as_posix()


def _leads_on(here: Path, name: str) -> bool:
    """Whether a folder is no link back to one that it lies in."""
    there = (here / name).resolve()
    return there != here and there not in here.parents


def outputs(members: Iterator[str]) -> dict[str, str]:
    """The path that each image is written to: its own, or, where its format loses pixels (JPEG, GIF), that of a PNG.

    Raises:
        DataError: two images would be written to one path.
    """
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for member in members:
        path = PurePosixPath(member)
        out = member if path.suffix.lower() in FORMATS else path.with_suffix(".png").as_posix()
        if out in taken:
            raise DataError(f"{taken[out]} and {member} would both be written to {out}; rename one of them")
        names[member], taken[out] = out, member
    return names


def decode(file: Path) -> Pixels:
    """uint8 (C, H, W), gray or RGB, turned as its EXIF orientation says.

    Raises:
        ValueError: more than 8 bits, transparent pixels or several pictures. Exception: whatever Pillow raises for a
            file that is broken.
    """
    with Image.open(file) as opened:
        pictures = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)  # MPO: a photograph and its previews
        if pictures > 1:
            raise ValueError(f"it holds {pictures} pictures; expected one")
        if opened.mode not in MODES:
            raise ValueError(f"its mode is {opened.mode}; expected gray or colour of 8 bits")
        image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
            raise ValueError("it has transparent pixels; lay it on a background first")
        pixels = np.asarray(image.convert(MODES[opened.mode]))
    return pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)


def encode(pixels: Pixels, file: Path) -> None:
    """Write uint8 (C, H, W) in the format of the file's suffix; the file is there whole or not at all."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, lambda draft: image.save(draft, **FORMATS[file.suffix.lower()]))


def write_whole(file: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place and rename it."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        write(draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
