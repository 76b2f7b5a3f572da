"""Independent forms of the built-in sequences, and the published numbers, for tests and their faults."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.stats import poisson
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import affine

from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Rng
from robustmeta.sequences.decorator import FrameSequence

Array = NDArray[Any]
Law = Callable[..., Iterator[Array]]
STREAM = ("reference",)
IMAGES = (ink(2), scenes(2), scenes(1, 48)[:, :, :, :36])


def picture(image: Array) -> Image.Image:
    """(C, H, W) in [0, 1] as a Pillow image."""
    pixels = np.moveaxis(np.rint(image * 255).astype(np.uint8), 0, -1)
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def pillow(image: Array, angle: float = 0, shift: int = 0, scale: float = 1, shear: float = 0) -> Array:
    """What the published program calls to move a picture."""
    how = InterpolationMode.NEAREST if shift else InterpolationMode.BILINEAR
    made = affine(picture(image), angle, [shift, 0], scale, shear, interpolation=how)  # type: ignore[arg-type]
    return np.moveaxis(np.atleast_3d(np.asarray(made)), -1, 0) / 255


def smeared(image: Array, radius: int, sigma: float, degrees: float, least: int = 0) -> Array:
    """One-sided motion blur, tap by tap, with the edges going on; taps that leave the picture are left out."""
    weights = np.exp(-(np.arange(2 * radius + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    height, width = image.shape[-2:]
    rows, columns, out = np.arange(height), np.arange(width), np.zeros_like(image)
    for i, weight in enumerate(weights):
        down, right = (math.ceil(i * f(math.radians(degrees)) - 0.5) for f in (math.sin, math.cos))
        if abs(down) >= max(height, least) or abs(right) >= max(width, least):
            break
        at = image[..., np.clip(rows + down, 0, height - 1), :]
        out += weight * at[..., np.clip(columns + right, 0, width - 1)]
    return out


def fresh(level: Any, image: Array, rng: Rng, law: Callable[[Array, float, Array], Array]) -> Iterator[Array]:
    """The clean image, then noise thirty times."""
    yield image
    for frame in range(1, 31):
        yield law(image, level, rng.child("frame", frame).normal(*image.shape)[0].double().numpy())


def gaussian_noise(std: float, image: Array, rng: Rng) -> Iterator[Array]:
    return fresh(std, image, rng, lambda x, s, n: x + s * n)


def speckle_noise(std: float, image: Array, rng: Rng) -> Iterator[Array]:
    return fresh(std, image, rng, lambda x, s, n: x * (1 + s * n))


def shot_noise(photons: int, image: Array, rng: Rng) -> Iterator[Array]:
    yield image
    for frame in range(1, 31):
        u = rng.child("frame", frame).uniform(*image.shape)[0].double().numpy()
        yield poisson.ppf(u, photons * image) / photons


def motion_blur(p: tuple[int, float, list[int]], image: Array, rng: Rng) -> Iterator[Array]:
    radius, sigma, angles = p
    for degrees in angles:
        yield np.rint(smeared(image, radius, sigma, degrees) * 255) / 255


def zoom_blur(p: None, image: Array, rng: Rng) -> Iterator[Array]:
    for i in range(31):
        yield np.mean([image if j == 0 else pillow(image, scale=1 + 0.004 * j) for j in range(i + 1)], axis=0)


def snow(p: tuple[float, float, int, float], image: Array, rng: Rng) -> Iterator[Array]:
    scale, zoom, radius, sigma = p
    height, width = image.shape[1:]
    layer = 0.05 + scale * rng.normal(height, width)[0].double().numpy()
    rows, columns = math.ceil(height / zoom), math.ceil(width / zoom)
    top, left = (height - rows) // 2, (width - columns) // 2
    layer = ndimage.zoom(layer[top : top + rows, left : left + columns], zoom, order=1)
    top, left = (layer.shape[0] - height) // 2, (layer.shape[1] - width) // 2
    layer = layer[top : top + height, left : left + width]
    layer = np.floor(np.where(layer < 0.5, 0, layer).clip(0, 1) * 255) / 255
    luma = np.tensordot([0.299, 0.587, 0.114] if len(image) == 3 else [1], image, 1)
    white = 0.85 * image + 0.15 * np.maximum(image, 1.5 * luma + 0.5)
    for i in range(31):
        fall = np.rint(smeared(layer, radius, sigma, 4 * i - 150, 2 * radius + 1) * 255) / 255
        yield white + fall + np.rot90(fall, 2)


def brightness(step: float, image: Array, rng: Rng) -> Iterator[Array]:
    hsv = rgb_to_hsv(np.moveaxis(np.broadcast_to(image, (3, *image.shape[1:])), 0, -1))
    for i in range(31):
        bright = hsv.copy()
        bright[..., 2] = np.clip(hsv[..., 2] + (i - 15) * step, 0, 1)
        rgb = np.moveaxis(hsv_to_rgb(bright), -1, 0)[: len(image)]
        yield np.floor(rgb * 255) / 255  # as published: what is short of a whole number by 1e-14 is cut


def translate(p: tuple[int, int], image: Array, rng: Rng) -> Iterator[Array]:
    for shift in range(p[0], p[1] + 1):
        yield pillow(image, shift=shift)


def rotate(p: None, image: Array, rng: Rng) -> Iterator[Array]:
    for i in range(31):
        yield pillow(image, angle=i - 15)


def shear(p: None, image: Array, rng: Rng) -> Iterator[Array]:
    for i in range(31):
        yield pillow(image, shear=i - 15)


def tilt(step: float, image: Array, rng: Rng) -> Iterator[Array]:
    height, width = image.shape[1:]
    f = np.hypot(width, height)
    pixels = np.moveaxis(np.rint(image * 255).astype(np.uint8), 0, -1)
    flat = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1], [0, 0, 1]])
    away = np.eye(4)
    away[2, 3] = f
    lens = np.array([[f, 0, width / 2, 0], [0, f, height / 2, 0], [0, 0, 1, 0]])
    for i in range(31):
        cos, sin = np.cos(np.deg2rad((i - 15) * step)), np.sin(np.deg2rad((i - 15) * step))
        about_x, about_y = np.eye(4), np.eye(4)
        about_x[1:3, 1:3] = [[cos, -sin], [sin, cos]]
        about_y[0:3:2, 0:3:2] = [[cos, -sin], [sin, cos]]
        seen = cv2.warpPerspective(pixels, lens @ away @ about_x @ about_y @ flat, (width, height))
        yield np.moveaxis(np.atleast_3d(seen), -1, 0) / 255


def scale(p: tuple[float, float], image: Array, rng: Rng) -> Iterator[Array]:
    for i in range(31):
        yield pillow(image, scale=(p[0] + i * p[1]) / 100)


def gaussian_blur(p: tuple[float, float, float], image: Array, rng: Rng) -> Iterator[Array]:
    for i in range(31):
        sigma = p[0] + i * p[1]
        yield ndimage.gaussian_filter(image, (0, sigma, sigma), mode="nearest", truncate=p[2])


def spatter(p: tuple[float, float, float, float, list[float]], image: Array, rng: Rng) -> Iterator[Array]:
    loc, scale, sigma, threshold, run = p
    liquid = loc + scale * rng.normal(*image.shape[1:])[0].double().numpy()
    liquid = ndimage.gaussian_filter(liquid, sigma, mode="nearest")
    liquid[liquid < threshold] = 0
    for _ in range(31):
        drops = (liquid * 255).astype(np.uint8)
        distance = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
        _, distance = cv2.threshold(distance, 20, 20, cv2.THRESH_TRUNC)
        relief = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
        relief = cv2.filter2D(relief, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
        mask = drops * cv2.blur(relief, (3, 3)).astype(np.float32)
        mask = 0.6 * mask / (mask.max() or 1)
        colour = np.array([175, 238, 238])[:, None, None] / 255
        seen = (image + mask * colour).clip(0, 1)
        yield seen if len(image) == 3 else np.tensordot([[0.299, 0.587, 0.114]], seen, 1)
        liquid = np.apply_along_axis(np.convolve, 0, liquid, run, mode="same")


PUBLISHED: dict[str, tuple[Law, dict[str, tuple[Any, ...]]]] = {
    "gaussian_noise": (
        gaussian_noise,
        {"224": (0.03, 0.05, 0.08), "64": (0.025, 0.05, 0.075), "32": (0.02, 0.04, 0.06)},
    ),
    "speckle_noise": (
        speckle_noise,
        {"224": (0.05, 0.1, 0.15), "64": (0.05, 0.1, 0.15), "32": (0.05, 0.07, 0.1)},
    ),
    "shot_noise": (shot_noise, {"224": (300, 120, 60), "64": (500, 250, 125), "32": (700, 400, 200)}),
    "motion_blur": (
        motion_blur,
        {"224": ((10, 3, list(range(-120, 1, 4))),), "32": ((6, 1.8, list(range(-180, 1, 9))),)},
    ),
    "zoom_blur": (zoom_blur, {"levels": (None,)}),
    "snow": (snow, {"224": ((0.3, 3, 14, 4),), "64": ((0.28, 2, 10, 2.5),), "32": ((0.3, 2, 10, 2),)}),
    "brightness": (brightness, {"224": (0.02,), "64": (0.02,), "32": (0.015,)}),
    "translate": (translate, {"224": ((-20, 20),), "64": ((-15, 15),), "32": ((-7, 8),)}),
    "rotate": (rotate, {"levels": (None,)}),
    "shear": (shear, {"levels": (None,)}),
    "tilt": (tilt, {"224": (1,), "64": (1,), "32": (0.75,)}),
    "scale": (scale, {"224": ((40, 2.5),), "64": ((40, 2.5),), "32": ((70, 2),)}),
    "gaussian_blur": (
        gaussian_blur,
        {"224": ((0.25, 0.035, 6),), "64": ((0.35, 0.014, 7),), "32": ((0.3, 0.015, 7),)},
    ),
    "spatter": (
        spatter,
        {
            "224": ((0.65, 0.27, 3.7, 0.69, [0.05, 0.1, 0.15, 0.7]),),
            "64": ((0.6, 0.25, 1.75, 0.7, [0.2, 0.8]),),
            "32": ((0.6, 0.265, 1.75, 0.7, [0.2, 0.8]),),
        },
    ),
}
"""Each law with what the published programs have at 224, 64 and 32 pixels, a parameter for each difficulty."""

TEST = {
    "gaussian_noise",
    "shot_noise",
    "motion_blur",
    "zoom_blur",
    "snow",
    "brightness",
    "translate",
    "rotate",
    "tilt",
    "scale",
}
VALIDATION = {"speckle_noise", "gaussian_blur", "spatter", "shear"}


def hold(sequence: FrameSequence) -> None:
    """Assert that a built-in sequence has the published difficulties and makes the published frames."""
    law, tables = PUBLISHED[sequence.name]
    assert set(sequence.tables) == set(tables)
    for table, parameters in tables.items():
        assert len(sequence.tables[table]) == len(parameters), f"table {table}"
        for level, parameter in zip(sequence.tables[table], parameters, strict=True):
            for images in IMAGES:
                got = np.stack([f.numpy() for f in sequence(images, level, Rng(0, STREAM, range(len(images))))])
                for i, image in enumerate(images.double().numpy() / 255):
                    frames = law(parameter, image, Rng(0, STREAM, [i]))
                    want = np.floor(np.stack(list(frames)).clip(0, 1) * 255 + 1e-3)
                    compare(got[:, i], want, f"table {table}, level {level}")


def compare(got: Array, want: Array, where: str) -> None:
    """Frames of one image: at most a grey level apart, and that in few places."""
    assert len(got) == len(want), f"{where}: {len(got)} frames, published are {len(want)}"
    off = np.abs(got.astype(int) - want)
    frame = int(off.reshape(len(off), -1).max(1).argmax())
    assert off.max() <= 1, f"{where}, frame {frame}: off by {off.max():.0f}/255"
    assert (off > 0).mean() < 5e-3, f"{where}: {(off > 0).mean():.2%} off"
