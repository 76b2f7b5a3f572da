"""Independent forms of the noises and digital corruptions, and the published numbers, for tests and their faults."""

import colorsys
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import scipy.stats
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

Array = NDArray[Any]
STREAM = ("digital",)

PUBLISHED: dict[str, dict[str, tuple[Any, ...]]] = {
    "gaussian_noise": {
        "224": (0.08, 0.12, 0.18, 0.26, 0.38),
        "64": (0.04, 0.08, 0.12, 0.15, 0.18),
        "32": (0.04, 0.06, 0.08, 0.09, 0.10),
    },
    "shot_noise": {"224": (60, 25, 12, 5, 3), "64": (250, 100, 50, 30, 15), "32": (500, 250, 100, 75, 50)},
    "impulse_noise": {
        "224": (0.03, 0.06, 0.09, 0.17, 0.27),
        "64": (0.01, 0.02, 0.05, 0.08, 0.14),
        "32": (0.01, 0.02, 0.03, 0.05, 0.07),
    },
    "speckle_noise": {
        "224": (0.15, 0.2, 0.35, 0.45, 0.6),
        "64": (0.15, 0.2, 0.25, 0.3, 0.35),
        "32": (0.06, 0.1, 0.12, 0.16, 0.2),
    },
    "brightness": {
        "224": (0.1, 0.2, 0.3, 0.4, 0.5),
        "64": (0.1, 0.2, 0.3, 0.4, 0.5),
        "32": (0.05, 0.1, 0.15, 0.2, 0.3),
    },
    "contrast": {
        "224": (0.4, 0.3, 0.2, 0.1, 0.05),
        "64": (0.4, 0.3, 0.2, 0.1, 0.05),
        "32": (0.75, 0.5, 0.4, 0.3, 0.15),
    },
    "saturate": {
        "224": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        "64": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
        "32": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    },
    "pixelate": {
        "224": (0.6, 0.5, 0.4, 0.3, 0.25),
        "64": (0.9, 0.8, 0.7, 0.6, 0.5),
        "32": (0.95, 0.9, 0.85, 0.75, 0.65),
    },
    "jpeg_compression": {"224": (25, 18, 15, 10, 7), "64": (65, 58, 50, 40, 25), "32": (80, 65, 58, 50, 40)},
}

DRAWS: dict[str, Callable[[Rng, tuple[int, ...]], list[Tensor]]] = {
    "gaussian_noise": lambda rng, shape: [rng.normal(*shape)],
    "speckle_noise": lambda rng, shape: [rng.normal(*shape)],
    "shot_noise": lambda rng, shape: [rng.uniform(*shape)],
    "impulse_noise": lambda rng, shape: [rng.uniform(*shape), rng.uniform(*shape)],
}
Law = Callable[..., Array]


def _shot(x: Array, photons: float, u: Array) -> Array:
    return np.clip(scipy.stats.poisson.ppf(u, x * photons), 0, None) / photons


def _impulse(x: Array, amount: float, hit: Array, kind: Array) -> Array:
    return np.where(hit < amount, np.where(kind <= 0.5, 1, 0), x)


def _contrast(x: Array, c: float) -> Array:
    return np.stack([(p - p.mean()) * c + p.mean() for p in x])


def _each_colour(x: Array, change: Callable[[float, float, float], tuple[float, float, float]]) -> Array:
    """Colours changed one by one in HSV; a gray image is a colour image of which one channel is kept."""
    colours = np.broadcast_to(x, (3, *x.shape[1:])).reshape(3, -1).T
    changed = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*c))) for c in colours.tolist()]
    return np.array(changed).T.reshape(3, *x.shape[1:])[: len(x)]


def _brightness(x: Array, c: float) -> Array:
    return _each_colour(x, lambda h, s, v: (h, s, min(v + c, 1)))


def _saturate(x: Array, level: tuple[float, float]) -> Array:
    a, b = level
    return _each_colour(x, lambda h, s, v: (h, min(a * s + b, 1), v))


def _by_pillow(x: Array, work: Callable[[Image.Image], Image.Image]) -> Array:
    pixels = np.moveaxis(np.rint(x * 255).astype(np.uint8), 0, -1)
    made = np.asarray(work(Image.fromarray(pixels[..., 0] if len(x) == 1 else pixels)))
    return np.moveaxis(made.reshape(pixels.shape), -1, 0) / 255


def _pixelate(x: Array, scale: float) -> Array:
    def work(image: Image.Image) -> Image.Image:
        width, height = image.size
        small = image.resize((int(width * scale), int(height * scale)), Image.Resampling.BOX)
        return small.resize((width, height), Image.Resampling.NEAREST)

    return _by_pillow(x, work)


def _jpeg(x: Array, quality: int) -> Array:
    def work(image: Image.Image) -> Image.Image:
        file = BytesIO()
        image.save(file, format="JPEG", quality=quality)
        return Image.open(file)

    return _by_pillow(x, work)


LAWS: dict[str, Law] = {
    "gaussian_noise": lambda x, std, noise: x + std * noise,
    "speckle_noise": lambda x, std, noise: x + x * std * noise,
    "shot_noise": _shot,
    "impulse_noise": _impulse,
    "brightness": _brightness,
    "contrast": _contrast,
    "saturate": _saturate,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg,
}
GRAYS = torch.arange(30 * 29).view(1, 1, 30, 29).remainder(256).byte()
IMAGES = (ink(2), scenes(2), scenes(1, 64)[..., :45], GRAYS.expand(-1, 3, -1, -1))


def expected(name: str, level: Any, images: Tensor) -> Array:
    """What the law gives for uint8 images under keys 0, 1, 2, ..., in float64 before it is stored."""
    rng, shape = Rng(0, STREAM, range(len(images))), tuple(images.shape[1:])
    draws = [d.double().numpy() for d in DRAWS[name](rng, shape)] if name in DRAWS else []
    given = images.numpy() / 255
    return np.stack([LAWS[name](x, level, *d) for x, *d in zip(given, *draws, strict=True)]).clip(0, 1)


def hold(corruption: Corruption, tables: tuple[str, ...] = ("224", "64", "32")) -> None:
    """Assert that a corruption has the published levels and gives the published images at each of them.

    Stored values are the law's, cut to 8 bits. Where that is a whole number up to rounding, one less is right too.
    """
    for table in tables:
        assert corruption.tables[table] == PUBLISHED[corruption.name][table], f"table {table}"
        for severity, level in enumerate(corruption.tables[table], 1):
            for images in IMAGES:
                hold_images(corruption, level, images, f"{corruption.name}, table {table}, severity {severity}")


def hold_images(corruption: Corruption, level: Any, images: Tensor, where: str = "") -> None:
    """Assert that a corruption follows its law on these images."""
    want = 255 * expected(corruption.name, level, images)
    got = corruption(images, level, Rng(0, STREAM, range(len(images)))).numpy().astype(float)
    short = want - got  # what was cut off
    wrong = (short < -1e-3) | (short > 1 + 1e-9)
    assert not wrong.any(), f"{where}: {wrong.mean():.2%} are off, by {short[wrong].min():.3f} to {short.max():.3f}"
