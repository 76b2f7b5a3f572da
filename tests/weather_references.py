"""Independent forms of snow, frost, fog and spatter by NumPy, SciPy and OpenCV, one image at a time, in float64."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

Array = NDArray[Any]
STREAM = ("weather",)
PEER, PAPERS = "imagecorruptions", "hendrycks"

PUBLISHED: dict[str, dict[str, tuple[Any, ...]]] = {
    "fog": {
        "224": ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        "64": ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        "32": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    },
    "snow": {
        "224": (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8, PEER),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7, PEER),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7, PEER),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65, PEER),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55, PEER),
        ),
        "64": (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8, PAPERS),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8, PAPERS),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7, PAPERS),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65, PAPERS),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6, PAPERS),
        ),
        "32": (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95, PAPERS),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9, PAPERS),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9, PAPERS),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85, PAPERS),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8, PAPERS),
        ),
    },
    "frost": {
        "224": ((1, 0.4, 1.1), (0.8, 0.6, 1.1), (0.7, 0.7, 1.1), (0.65, 0.7, 1.1), (0.6, 0.75, 1.1)),
        "64": ((1, 0.3, 0.3), (0.9, 0.4, 0.3), (0.8, 0.45, 0.3), (0.75, 0.5, 0.3), (0.7, 0.55, 0.3)),
        "32": ((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
    },
    "spatter": {
        "224": (
            (0.65, 0.3, 4, 0.69, 0.6, "water"),
            (0.65, 0.3, 3, 0.68, 0.6, "water"),
            (0.65, 0.3, 2, 0.68, 0.5, "water"),
            (0.65, 0.3, 1, 0.65, 1.5, "mud"),
            (0.67, 0.4, 1, 0.65, 1.5, "mud"),
        ),
        "64": (
            (0.62, 0.1, 0.7, 0.7, 0.6, "water"),
            (0.65, 0.1, 0.8, 0.7, 0.6, "water"),
            (0.65, 0.3, 1, 0.69, 0.6, "water"),
            (0.65, 0.1, 0.7, 0.68, 0.6, "mud"),
            (0.65, 0.1, 0.5, 0.67, 0.6, "mud"),
        ),
        "32": (
            (0.62, 0.1, 0.7, 0.7, 0.5, "water"),
            (0.65, 0.1, 0.8, 0.7, 0.5, "water"),
            (0.65, 0.3, 1, 0.69, 0.5, "water"),
            (0.65, 0.1, 0.7, 0.69, 0.6, "mud"),
            (0.65, 0.1, 0.5, 0.68, 0.6, "mud"),
        ),
    },
}


def rgb(image: Array) -> Array:
    """An image (C, H, W) as (H, W, 3)."""
    return np.moveaxis(np.broadcast_to(image, (3, *image.shape[1:])), 0, -1)


def back(coloured: Array, image: Array) -> Array:
    """(H, W, 3) in the channels of the image: the luma where it is gray."""
    if len(image) == 3:
        return np.moveaxis(coloured, -1, 0)
    return (np.clip(coloured, 0, 1) @ np.array([0.299, 0.587, 0.114]))[None]


def height_map(side: int, decay: float, u: Array) -> Array:
    """Diamond-square point by point; ``u`` in [-1, 1] in the order of the points: squares, then edges, row by row."""
    z, numbers, step, b = np.zeros((side, side)), iter(u), side, 100.0

    def put(y: int, x: int, around: list[tuple[int, int]]) -> None:
        mean = sum(z[(y + dy) % side, (x + dx) % side] for dy, dx in around) / 4
        z[y, x] = mean + b * b * next(numbers)

    while step > 1:
        half = step // 2
        corners = [(half, half), (half, -half), (-half, half), (-half, -half)]
        sides = [(half, 0), (-half, 0), (0, half), (0, -half)]
        for first_y, first_x, around in ((half, half, corners), (0, half, sides), (half, 0, sides)):
            for y in range(first_y, side, step):
                for x in range(first_x, side, step):
                    put(y, x, around)
        step, b = half, b / decay
    assert next(numbers, None) is None
    return z


def fog(image: Array, level: Any, rng: Rng) -> Array:
    c, decay = level
    height, width = image.shape[1:]
    side = next(2**k for k in range(12) if 2**k >= max(height, width))
    z = height_map(side, decay, 2 * rng.uniform(side * side)[0].double().numpy()[:-1] - 1)
    z = (z - z.min()) / (z.max() - z.min())
    top = image.max()
    return (image + c * z[:height, :width]) * top / (top + c) if top else image


def smeared(layer: Array, radius: int, sigma: float, degrees: float) -> Array:
    """Shift and add with the outermost samples going on beyond the border."""
    taps = np.arange(2 * radius + 1)
    weight = np.exp(-(taps**2) / (2 * sigma**2))
    wide = np.pad(layer, len(taps), mode="edge")
    out = np.zeros_like(layer)
    for i, k in enumerate(weight / weight.sum()):
        dy = int(np.ceil(i * np.sin(np.deg2rad(degrees)) - 0.5)) + len(taps)
        dx = int(np.ceil(i * np.cos(np.deg2rad(degrees)) - 0.5)) + len(taps)
        out += k * wide[dy : dy + layer.shape[0], dx : dx + layer.shape[1]]
    return out


def snow(image: Array, level: Any, rng: Rng) -> Array:
    loc, scale, zoom, threshold, radius, sigma, mix, law = level
    height, width = image.shape[1:]
    layer = loc + scale * rng.normal(height, width)[0].double().numpy()
    kept = [int(np.ceil(n / zoom)) for n in layer.shape]
    first = [(n - k) // 2 for n, k in zip(layer.shape, kept, strict=True)]
    layer = scipy.ndimage.zoom(layer[first[0] : first[0] + kept[0], first[1] : first[1] + kept[1]], zoom, order=1)
    if law == PAPERS:
        trim = [(n - k) // 2 for n, k in zip(layer.shape, (height, width), strict=True)]
        layer = layer[trim[0] : trim[0] + height, trim[1] : trim[1] + width]
    layer = np.clip(np.where(layer < threshold, 0, layer), 0, 1)
    if law == PAPERS:
        layer = np.floor(layer * 255) / 255
    degrees = -135 + 90 * float(rng.uniform(1)[0, 0])
    layer = (np.rint(smeared(layer, radius, sigma, degrees) * 255) / 255)[:height, :width]
    gray = image if len(image) == 1 else np.tensordot([0.299, 0.587, 0.114], image, 1)[None]
    return mix * image + (1 - mix) * np.maximum(image, 1.5 * gray + 0.5) + layer + np.rot90(layer, 2)


def frost_with(pictures: list[Array]) -> Callable[[Array, Any, Rng], Array]:
    """The law of frost with given pictures, uint8 (h, w, 3), RGB."""

    def frost(image: Array, level: Any, rng: Rng) -> Array:
        keep, ice, factor = level
        height, width = image.shape[1:]
        picture = pictures[int(rng.integers(0, len(pictures), 1))]
        factor = max(factor, 1.1 * max(height / picture.shape[0], width / picture.shape[1]))
        if factor > 1:
            size = (int(np.ceil(picture.shape[1] * factor)), int(np.ceil(picture.shape[0] * factor)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        else:
            picture = cv2.resize(picture, (0, 0), fx=factor, fy=factor)
        down, right = (float(u) for u in rng.uniform(2)[0])
        top, left = int(down * (picture.shape[0] - height)), int(right * (picture.shape[1] - width))
        part = picture[top : top + height, left : left + width].astype(np.float64)
        return back(np.floor(keep * np.rint(rgb(image) * 255) + ice * part) / 255, image)

    return frost


def equalised(image: Array) -> Array:
    """Histogram equalisation in 8 bits: the lowest value that occurs becomes 0."""
    lowest = image.min()
    others = image.size - np.count_nonzero(image == lowest)
    if not others:
        return image
    count = np.bincount(image.ravel(), minlength=256)
    count[lowest] = 0
    return np.rint(np.cumsum(count).astype(np.float32) * np.float32(255 / others)).astype(np.uint8)[image]


def in_bytes(values: Array) -> Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def spatter(image: Array, level: Any, rng: Rng) -> Array:
    loc, scale, sigma, threshold, strength, kind = level
    field = loc + scale * rng.normal(*image.shape[1:])[0].double().numpy()
    field = scipy.ndimage.gaussian_filter(field, sigma, mode="nearest", truncate=4)
    wet = field >= threshold
    if kind == "mud":
        mask = scipy.ndimage.gaussian_filter(wet.astype(np.float64), strength, mode="nearest", truncate=4)
        mask = np.where(mask < 0.8, 0, mask)[..., None]
        return back((1 - mask) * rgb(image) + mask * np.array([63, 42, 20]) / 255, image)
    drops = np.where(wet, field * 255, 0).astype(np.uint8)
    edges = cv2.Canny(drops, 50, 150)
    distance = np.minimum(cv2.distanceTransform(255 - edges, cv2.DIST_L2, 5), 20)
    box, emboss = np.full((3, 3), 1 / 9), np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float64)
    relief = np.floor(scipy.ndimage.correlate(distance.astype(np.float64), box, mode="mirror") + 1e-6)
    relief = equalised(relief.astype(np.uint8)).astype(np.float64)
    relief = in_bytes(scipy.ndimage.correlate(relief, emboss, mode="mirror"))
    shown = drops * in_bytes(scipy.ndimage.correlate(relief.astype(np.float64), box, mode="mirror")).astype(np.float64)
    mask = strength * shown / shown.max() if shown.max() else shown
    return back(rgb(image) + mask[..., None] * np.array([175, 238, 238]) / 255, image)


LAWS: dict[str, Callable[[Array, Any, Rng], Array]] = {"fog": fog, "snow": snow, "spatter": spatter}
IMAGES = (ink(7), scenes(2), scenes(2, 64)[:, :, :48], scenes(1, 64)[:, :1, :, 8:])


def expected(law: Callable[[Array, Any, Rng], Array], level: Any, images: Tensor) -> Array:
    """What a law gives for uint8 images under keys 0, 1, 2, ..., in float64 before it is stored."""
    given = images.double().numpy() / 255
    return np.stack([law(x, level, Rng(0, STREAM, [i])) for i, x in enumerate(given)]).clip(0, 1)


def hold(corruption: Corruption, law: Callable[[Array, Any, Rng], Array]) -> None:
    """Assert that a corruption has the published levels and gives the images of its independent form at all of them."""
    for table, levels in PUBLISHED[corruption.name].items():
        assert corruption.tables[table] == levels, f"table {table}"
    for table, levels in corruption.tables.items():
        for severity, level in enumerate(levels, 1):
            for images in IMAGES:
                hold_images(corruption, law, level, images, f"table {table}, severity {severity}")


def hold_images(
    corruption: Corruption, law: Callable[[Array, Any, Rng], Array], level: Any, images: Tensor, where: str = ""
) -> None:
    """Assert it at one level: no value is off by more than 1/255, and fewer than one in a thousand are."""
    want = np.floor(expected(law, level, images) * 255 + 1e-4)
    off = np.abs(corruption(images, level, Rng(0, STREAM, range(len(images)))).numpy().astype(int) - want)
    assert off.max() <= 1, f"{where}: off by {off.max():.0f}/255"
    assert (off > 0).sum() <= max(1, 1e-3 * off.size), f"{where}: {(off > 0).mean():.2%} off"
