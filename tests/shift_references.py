"""Independent forms of the built-in corruptions, and the published numbers, for tests and their faults."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

PUBLISHED: dict[str, dict[str, tuple[Any, ...]]] = {
    "gaussian_noise": {
        "224": (0.08, 0.12, 0.18, 0.26, 0.38),
        "64": (0.04, 0.08, 0.12, 0.15, 0.18),
        "32": (0.04, 0.06, 0.08, 0.09, 0.10),
    },
    "defocus_blur": {
        "224": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        "64": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        "32": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    },
    "contrast": {
        "224": (0.4, 0.3, 0.2, 0.1, 0.05),
        "64": (0.4, 0.3, 0.2, 0.1, 0.05),
        "32": (0.75, 0.5, 0.4, 0.3, 0.15),
    },
    "jpeg_compression": {"224": (25, 18, 15, 10, 7), "64": (65, 58, 50, 40, 25), "32": (80, 65, 58, 50, 40)},
}
STREAM = ("reference",)
Array = NDArray[Any]


def kernel(radius: float, sigma: float) -> Array:
    """The published defocus kernel, by NumPy and OpenCV."""
    reach = 8 if radius <= 8 else radius
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.float64)
    side = 3 if radius <= 8 else 5
    return cv2.GaussianBlur(disk / disk.sum(), (side, side), sigma)


def _noise(image: Array, level: float, noise: Array) -> Array:
    return image + level * noise


def _defocus(image: Array, level: tuple[float, float], noise: Array) -> Array:
    return np.stack([cv2.filter2D(channel, -1, kernel(*level)) for channel in image])


def _contrast(image: Array, level: float, noise: Array) -> Array:
    return np.stack([(c - c.mean()) * level + c.mean() for c in image])


def _jpeg(image: Array, level: int, noise: Array) -> Array:
    pixels = np.moveaxis(np.rint(image * 255).astype(np.uint8), 0, -1)
    file = BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, format="JPEG", quality=level)
    return np.moveaxis(np.asarray(Image.open(file)).reshape(pixels.shape), -1, 0) / 255


LAWS: dict[str, Callable[[Array, Any, Array], Array]] = {
    "gaussian_noise": _noise,
    "defocus_blur": _defocus,
    "contrast": _contrast,
    "jpeg_compression": _jpeg,
}
IMAGES = (ink(3), scenes(3), scenes(3, 64))


def expected(name: str, level: Any, images: Tensor) -> Array:
    """What the law gives for uint8 images under keys 0, 1, 2, ..., in float64 before it is stored."""
    noise = Rng(0, STREAM, range(len(images))).normal(*images.shape[1:]).double().numpy()
    given = images.double().numpy() / 255
    return np.stack([LAWS[name](x, level, n) for x, n in zip(given, noise, strict=True)]).clip(0, 1)


def hold(corruption: Corruption) -> None:
    """Assert that a built-in corruption has the published levels and gives the published images at each of them."""
    for table, levels in PUBLISHED[corruption.name].items():
        assert corruption.tables[table] == levels, f"table {table}"
        for severity, level in enumerate(levels):
            for images in IMAGES:
                want = expected(corruption.name, level, images) * 255
                got = corruption(images, corruption.tables[table][severity], Rng(0, STREAM, range(len(images))))
                band = 0 if corruption.name in WHOLE else ROUNDING
                off = (got.numpy() < np.floor(want - band)) | (got.numpy() > np.floor(want + band))
                assert not off.any(), f"table {table}, severity {severity + 1}: {off.mean():.2%} off"


ROUNDING = 2e-3
"""Of 255: what float32 may differ by from float64. A value that close to a whole number may be cut to either side."""
WHOLE = ("jpeg_compression",)


class Linear:
    """Logits x · w + b over flattened pixels, the same for all tasks."""

    coupled = False

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight, self.bias = weight, torch.zeros(weight.shape[-1]) if bias is None else bias

    def __call__(self, x: Tensor) -> Tensor:
        return x.flatten(2) @ self.weight + self.bias

    def select(self, tasks: slice) -> "Linear":
        return self
