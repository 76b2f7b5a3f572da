"""Folders of images, and the command that corrupts them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner, Result

import robustmeta as rm
from robustmeta.cli import app
from robustmeta.corruptions.samples import scenes
from robustmeta.rng import hash64

NOISE = ("--corruption", "gaussian_noise", "--severity", "3")


def picture(width: int = 32, height: int = 32, mode: str = "RGB", number: int = 0) -> Image.Image:
    side = max(width, height)
    return Image.fromarray(scenes(number + 1, side)[number, :, :height, :width].movedim(0, -1).numpy()).convert(mode)


def save(folder: Path, files: dict[str, Image.Image]) -> Path:
    for name, image in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name, **({"lossless": True} if name.endswith("webp") else {}))
    return folder


def call(source: Path, target: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["corrupt", str(source), str(target), *args])


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        image.load()
        return image


def pixels(file: Path) -> Any:
    return np.asarray(opened(file))


def expected(image: Image.Image, name: str, seed: int = 0) -> Any:
    return np.asarray(rm.corrupt(image, "gaussian_noise", 3, seed=seed, ids=hash64(name)))


FILES = {
    "a/1.png": picture(),
    "a/deep/2.bmp": picture(number=1),
    "b/3.tif": picture(40, 28, "L"),
    "b/4.webp": picture(28, 64),
    "b/5.PNG": picture(40, 28, "L", 1),
}
