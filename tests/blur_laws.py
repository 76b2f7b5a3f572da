"""The blurs and the elastic transform a second time, by NumPy, SciPy and plain loops, for tests and their faults."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

Array = NDArray[Any]
STREAM = ("reference",)
IMAGES = (ink(6), scenes(4), scenes(2, 64), scenes(3, 48)[:, :, :36])

PUBLISHED: dict[str, dict[str, tuple[Any, ...]]] = {
    "gaussian_blur": {"224": (1, 2, 3, 4, 6), "64": (0.5, 0.75, 1, 1.25, 1.5), "32": (0.4, 0.6, 0.7, 0.8, 1)},
    "glass_blur": {
        "224": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        "64": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        "32": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    },
    "motion_blur": {
        "224": tuple((r, s, "cut") for r, s in ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))),
        "64": tuple((r, s, "round") for r, s in ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3))),
        "32": tuple((r, s, "round") for r, s in ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))),
    },
    "zoom_blur": {
        "224": ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        "64": tuple((end, 0.01) for end in (1.06, 1.11, 1.16, 1.21, 1.26)),
        "32": tuple((end, 0.01) for end in (1.06, 1.11, 1.16, 1.21, 1.26)),
    },
    "elastic_transform": {
        "224": tuple((0.005 * 250 * a, 0.01, 0) for a in (0.05, 0.065, 0.085, 0.1, 0.12)),
        "224-hendrycks": tuple(
            tuple(244 * v / 224 for v in row)
            for row in ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
        ),
        "64": ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
        "32": ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    },
}


def soft(planes: Array, sigma: float) -> Array:
    """Each plane filtered as scikit-image's ``gaussian`` does by default."""
    return np.stack([ndimage.gaussian_filter(p, sigma, mode="nearest", truncate=4) for p in planes])


def cut(x: Array) -> Array:
    """To whole 255ths, downwards, but for rounding."""
    return np.floor(x * 255 + 1e-4)


def raster(pixels: Array, shifts: Array, reach: int) -> None:
    """One pass over (C, H, W) in place: right to left in each row, from the lowest row up."""
    height, width = pixels.shape[1:]
    for r, h in enumerate(range(height - reach, reach, -1)):
        for c, w in enumerate(range(width - reach, reach, -1)):
            right, down = shifts[r, c]
            pixels[:, h, w] = pixels[:, h + down, w + right]


def _gaussian(image: Array, sigma: float, rng: Rng) -> Array:
    return soft(image, sigma)


def _glass(image: Array, level: tuple[float, int, int], rng: Rng) -> Array:
    sigma, reach, passes = level
    height, width = image.shape[1:]
    pixels = cut(soft(image, sigma))
    for _ in range(passes):
        shifts = rng.integers(-reach, reach, height - 2 * reach, width - 2 * reach, 2)[0].numpy()
        raster(pixels, shifts, reach)
    return soft(pixels / 255, sigma)


def moved(image: Array, down: int, right: int) -> Array:
    """x(p + (down, right)), the border going on."""
    height, width = image.shape[1:]
    rows, columns = np.arange(height) + down, np.arange(width) + right
    return image[:, rows.clip(0, height - 1)][:, :, columns.clip(0, width - 1)]


def _motion(image: Array, level: tuple[int, float, str], rng: Rng) -> Array:
    radius, sigma, storage = level
    angle = math.radians(90 * float(rng.uniform()[0]) - 45)
    weights = [math.exp(-i * i / (2 * sigma * sigma)) for i in range(2 * radius + 1)]
    out = np.zeros_like(image)
    for i, weight in enumerate(weights):
        down, right = (math.ceil(i * f(angle) - 0.5) for f in (math.sin, math.cos))
        if abs(down) >= image.shape[1] or abs(right) >= image.shape[2]:
            break
        out += weight / sum(weights) * moved(image, down, right)
    return np.rint(out * 255) / 255 if storage == "round" else out


def _zoom(image: Array, level: tuple[float, float], rng: Rng) -> Array:
    factors, total, (height, width) = np.arange(1, *level), image.copy(), image.shape[1:]
    for factor in factors:
        rows, columns = math.ceil(height / factor), math.ceil(width / factor)
        top, left = (height - rows) // 2, (width - columns) // 2
        part = image[:, top : top + rows, left : left + columns]
        total += ndimage.zoom(part, (1, factor, factor), order=1)[:, :height, :width]
    return total / (len(factors) + 1)


def sampled(image: Array, rows: Array, columns: Array, mode: str) -> Array:
    """Each channel, bilinear, at places given in pixels."""
    return np.stack([ndimage.map_coordinates(c, [rows, columns], order=1, mode=mode) for c in image])


def tilt(image: Array, moves: Array) -> Array:
    """By the affine map that OpenCV finds for three points, in its inverse, mirrored at the outer pixels."""
    height, width = image.shape[1:]
    middle, q = np.array([width // 2, height // 2]), min(height, width) // 3
    before = np.array([middle + q, middle + np.array([q, -q]), middle - q], np.float32)
    forth = cv2.getAffineTransform(before, (before + moves).astype(np.float32))
    a, b, c, d, e, f = cv2.invertAffineTransform(forth).ravel()
    y, x = np.mgrid[:height, :width]
    return sampled(image, d * x + e * y + f, a * x + b * y + c, "mirror")


def _elastic(image: Array, level: tuple[float, float, float], rng: Rng) -> Array:
    displacement, sigma, jitter = level
    height, width = image.shape[1:]
    if jitter:
        moves = 2 * rng.child("tilt").uniform(3, 2)[0].double().numpy() - 1
        image = tilt(image, jitter * min(height, width) * moves)
    if displacement:
        noise = [2 * rng.uniform(height, width)[0].double().numpy() - 1 for _ in range(2)]
        sides = (sigma * height, sigma * width)
        right, down = (
            displacement * height * ndimage.gaussian_filter(n, sides, mode="reflect", truncate=3) for n in noise
        )
        y, x = np.mgrid[:height, :width]
        image = sampled(image, y + down, x + right, "reflect")
    return image


LAWS: dict[str, Callable[[Array, Any, Rng], Array]] = {
    "gaussian_blur": _gaussian,
    "glass_blur": _glass,
    "motion_blur": _motion,
    "zoom_blur": _zoom,
    "elastic_transform": _elastic,
}


def expected(name: str, level: Any, images: Tensor) -> Array:
    """What the law gives for uint8 images under keys 0, 1, 2, ..., as whole 255ths."""
    given = images.double().numpy() / 255
    made = [LAWS[name](x, level, Rng(0, STREAM, [i])) for i, x in enumerate(given)]
    return cut(np.stack(made).clip(0, 1))


def hold(corruption: Corruption) -> None:
    """Assert that it has the published levels, and gives the images of its law at all its levels."""
    for table, levels in PUBLISHED[corruption.name].items():
        assert np.array_equal(_numbers(corruption.tables[table]), _numbers(levels)), f"table {table}"
    for table, levels in corruption.tables.items():
        for severity, level in enumerate(levels, 1):
            for images in IMAGES:
                want = expected(corruption.name, level, images)
                got = corruption(images, level, Rng(0, STREAM, range(len(images)))).numpy()
                off = np.abs(got.astype(int) - want)
                assert off.max() <= 1, f"table {table}, severity {severity}: off by {off.max():.0f}/255"
                assert (off > 0).mean() < 1e-3, f"table {table}, severity {severity}: {(off > 0).mean():.2%} off"


def _numbers(levels: tuple[Any, ...]) -> Array:
    """A table as text, numbers to 12 digits."""
    rows = [level if isinstance(level, tuple) else (level,) for level in levels]
    return np.array([[v if isinstance(v, str) else f"{v:.12g}" for v in row] for row in rows])


def hold_alone(corruption: Corruption) -> None:
    """Assert that each image comes out the same bits alone, in other company and in another order, at odd sizes."""
    keys = np.array([5, 2**63 + 1, 3, 9, 2**40], np.uint64)
    for table, levels in corruption.tables.items():
        for level in (levels[0], levels[-1]):
            for images in (scenes(5, 41)[:, :, :29], scenes(5, 28)[:, :1, :, 1:], ink(5)):
                x = images.float() / 255
                whole = corruption.function(x, level, Rng(1, ("k",), keys))
                for rows in ([0], [4], [3, 1], [4, 2, 0, 1]):
                    some = corruption.function(x[rows], level, Rng(1, ("k",), keys[rows]))
                    assert np.array_equal(some.numpy(), whole[rows].numpy()), f"table {table}, {level}, rows {rows}"
