"""The laws of ImageNet-C-bar and CIFAR-10-C-bar once more, pixel by pixel in float64 by NumPy and SciPy alone."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from robustmeta.core import to_float
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

Array = NDArray[Any]
PUBLISHED: dict[str, dict[str, tuple[float, ...]]] = {
    "blue_noise_sample": {"224": (0.8, 1.6, 2.4, 4.0, 5.6), "32": (0.7, 1.4, 2.1, 3.5, 4.2)},
    "checkerboard_cutout": {"224": (2, 3, 4, 5, 6), "32": (1, 2, 3, 4, 5)},
    "inverse_sparkles": {"224": (1, 2, 4, 9, 10), "32": (1, 1.5, 2.5, 4.5, 5)},
    "sparkles": {"224": (1, 2, 3, 5, 6), "32": (0.7, 3.5, 5.6, 6.3, 7)},
    "brownish_noise": {"224": (1, 2, 3, 4, 5), "32": (2.5, 4, 5.5, 6.5, 7)},
    "caustic_refraction": {"224": (2.35, 3.2, 4.9, 6.6, 9.15)},
    "perlin_noise": {"224": (4.6, 5.2, 5.8, 7.6, 8.8)},
    "plasma_noise": {"224": (4.75, 7, 8.5, 9.25, 10)},
    "cocentric_sine_waves": {"224": (3, 5, 8, 9, 10)},
    "single_frequency_greyscale": {"224": (1, 1.5, 2, 4.5, 5)},
    "pinch_and_twirl": {"32": (5.5, 6, 6.5, 8.5, 10)},
    "ripple": {"32": (5.5, 6, 6.5, 7.5, 8)},
    "circular_motion_blur": {"32": (2.8, 3.6, 4.4, 5.2, 6)},
    "lines": {"32": (0.5, 1, 1.5, 2, 2.5)},
    "transverse_chromatic_abberation": {"32": (1, 2, 5, 9, 10)},
}
STREAM = ("reference",)
IMAGES = {10: ink(3), 50: scenes(2), 70: scenes(2, 40)[:, :, :33, :39]}
"""By the key of the first. Their draws hold every number of whirls, both orders of a frequency, four of colours."""


class Draws:
    """The draws of one image, as float64 or whole numbers."""

    def __init__(self, key: int) -> None:
        self.rng = Rng(0, STREAM, [key])

    def uniform(self, *shape: int) -> Array:
        return self.rng.uniform(*shape)[0].double().numpy()

    def normal(self, *shape: int) -> Array:
        return self.rng.normal(*shape)[0].double().numpy()

    def integers(self, low: int, high: int, *shape: int) -> Array:
        return self.rng.integers(low, high, *shape)[0].numpy()

    def permutation(self, n: int) -> Array:
        return self.rng.permutation(n)[0].numpy()


def at(image: Array) -> tuple[Array, Array]:
    """Rows and columns of the pixels."""
    y, x = np.indices(image.shape[1:])
    return y.astype(float), x.astype(float)


def short(image: Array) -> int:
    return min(image.shape[1:])


def single_frequency_greyscale(v: Array, s: float, draws: Draws) -> Array:
    first, second, phase, order = draws.uniform(4)
    f1 = -math.pi + 2 * math.pi * first
    f2 = -abs(f1) + 2 * abs(f1) * second
    fy, fx = (f1, f2) if order < 0.5 else (f2, f1)
    y, x = at(v)
    return v + s * 196 / 10 * np.sin(x * fx + y * fy + 2 * math.pi * phase)


def cocentric_sine_waves(v: Array, s: float, draws: Draws) -> Array:
    cy, cx, k, a, w = draws.uniform(5) * [*v.shape[1:], 10, short(v) / 10, short(v) / 10]
    y, x = at(v)
    r = np.hypot(y - cy, x - cx) + a * np.sin(k * np.arctan2(x - cx, y - cy))
    return v + s * 128 / 10 * ((r / w) % 1 - 0.5)


def plasma_noise(v: Array, s: float, draws: Draws) -> Array:
    u = draws.uniform(3)
    tau, h, scale = 6 * math.pi * u[0], 0.5 + u[1] / 2, (0.075 + 0.125 * u[2]) * short(v)
    steps = int(draws.integers(4, 7, 1)[0])
    y, x = (p / scale for p in at(v))
    for j in range(steps):
        r0 = np.cos(1.93**j * y + tau / 1.15**j) / (2.25 - h) ** j
        r1 = np.sin(1.93**j * x + tau / 1.15**j) / (2.25 - h) ** j
        x, y = x + r0 - 0.3 * r1, y + r1 + 0.3 * r0
    colours = np.stack([np.sin(x - tau), np.sin((x + y + np.sin(tau)) / 2), np.sin(y + tau)])
    intensity = s * 64 / 10
    return (1 - intensity / 255) * v + intensity * (colours if len(v) == 3 else colours[1:2])


def perlin(y: float, x: float, perm: list[int], gradient: Array) -> float:
    i, j = math.floor(y), math.floor(x)
    ty, tx = y - i, x - j
    fy, fx = (t * t * (3 - 2 * t) for t in (ty, tx))
    dot = {}
    for a in (0, 1):
        for b in (0, 1):
            gy, gx = gradient[perm[(perm[(i + a) % 256] + (j + b) % 256) % 256]]
            dot[a, b] = gy * (ty - a) + gx * (tx - b)
    upper = dot[0, 0] + fx * (dot[0, 1] - dot[0, 0])
    lower = dot[1, 0] + fx * (dot[1, 1] - dot[1, 0])
    return 1.5 * (upper + fy * (lower - upper))


def perlin_noise(v: Array, s: float, draws: Draws) -> Array:
    gradient = draws.integers(-256, 256, 256, 2).astype(float)
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    perm = draws.permutation(256).tolist()
    n = np.empty(v.shape[1:])
    for y, x in np.ndindex(n.shape):
        octaves = (
            abs(perlin(f * y * 7 / short(v), f * x * 7 / short(v), perm, gradient)) / f for f in (1, 2, 4, 8, 16)
        )
        n[y, x] = min(0.5 + 0.5 * sum(octaves), 1)
    alpha = s / 10 * 0.5
    return (1 - alpha) * v + 255 * alpha * n


def phase_field(half: Array, amplitude: Callable[[Array], Array]) -> Array:
    phase = np.concatenate([half, np.rot90(half, 2)], 1)
    height, width = phase.shape
    y, x = np.indices(phase.shape)
    k = np.hypot(y / height - 0.5, x / width - 0.5) * min(height, width)
    spectrum = np.roll(amplitude(k) * np.exp(1j * phase), (height // 2, width // 2), (0, 1))
    n = np.fft.ifft2(spectrum).real
    return n / n.std()


def brownish_noise(v: Array, s: float, draws: Draws) -> Array:
    h, w = (math.ceil(n / 2) for n in v.shape[1:])
    phases = 2 * math.pi * draws.uniform(len(v), 2 * h, w)
    n = np.stack([phase_field(p, lambda k: 1 / (k**2 + 1)) for p in phases])
    return v + s * 64 / 10 * n[:, : v.shape[1], : v.shape[2]]


def blue_noise_sample(v: Array, s: float, draws: Draws) -> Array:
    h, w = (math.ceil(n / 2) for n in v.shape[1:])
    n = phase_field(2 * math.pi * draws.uniform(1, 2 * h, w)[0], lambda k: k)
    return np.where(n[: v.shape[1], : v.shape[2]] > 0.3 * s - 2.5, v, 0)


def ray_light(y: int, x: int, centre: Array, lengths: list[float], exponent: float) -> float:
    dy, dx = y - centre[0], x - centre[1]
    q = (math.atan2(dx, dy) + math.pi) / (2 * math.pi) * len(lengths)
    i = math.floor(q)
    f = q - i
    a, b = lengths[i % len(lengths)], lengths[(i + 1) % len(lengths)]
    length = a + f * (b - a)
    glow = (length**2 / (dy**2 + dx**2 + 1e-4)) ** exponent
    return min(max(glow * (1 - (f - 0.5) ** 2), 0), 1)


def sparkles(v: Array, s: float, draws: Draws) -> Array:
    centres = draws.uniform(5, 2) * v.shape[1:]
    counts = draws.integers(50, 200, 5)
    z = draws.normal(5, 199)
    out = v.copy()
    for centre, count, row in zip(centres, counts, z, strict=True):
        lengths = [max(1.0, s / 10 * 0.1 * short(v) * (1 + 0.25 * float(n))) for n in row[:count]]
        for y, x in np.ndindex(v.shape[1:]):
            out[:, y, x] += ray_light(y, x, centre, lengths, 1) * (255 - out[:, y, x])
    return out


def inverse_sparkles(v: Array, s: float, draws: Draws) -> Array:
    centre = (0.25 + 0.5 * draws.uniform(2)) * v.shape[1:]
    count = int(draws.integers(50, 200, 1)[0])
    lengths = [short(v) / 4 * (1 + 0.25 * float(n)) for n in draws.normal(199)[:count]]
    out = np.empty_like(v)
    for y, x in np.ndindex(v.shape[1:]):
        out[:, y, x] = 255 + ray_light(y, x, centre, lengths, s * 65 / 10 / 50) * (v[:, y, x] - 255)
    return out


def checkerboard_cutout(v: Array, s: float, draws: Draws) -> Array:
    u = draws.uniform(2)
    angle, sigma = 2 * math.pi * u[0], max(1, short(v) * (0.1 + 0.15 * u[1]))
    side = math.ceil(math.sqrt(2) * max(v.shape[1:]) / (0.1 * short(v))) + 1
    b = draws.uniform(side, side) < s / 10
    out = v.copy()
    for y, x in np.ndindex(v.shape[1:]):
        n1 = (y * math.cos(angle) + x * math.sin(angle)) / sigma
        n2 = (-y * math.sin(angle) + x * math.cos(angle)) / sigma
        if math.floor(n1) % 2 == math.floor(n2) % 2 and b[math.trunc(n1) % side, math.trunc(n2) % side]:
            out[:, y, x] = 128
    return out


def line_weight(y: int, x: int, start: Array, end: Array) -> float:
    axis = 0 if abs(end[0] - start[0]) >= abs(end[1] - start[1]) else 1
    if not min(start[axis], end[axis]) <= (y, x)[axis] <= max(start[axis], end[axis]):
        return 0.0
    across = (end[1] - start[1]) * (y - start[0]) - (end[0] - start[0]) * (x - start[1])
    return max(0.0, 1 - abs(across) / math.dist(start, end))


def lines(v: Array, s: float, draws: Draws) -> Array:
    common = draws.uniform(2)
    u = draws.uniform(short(v), 3)
    out = v.copy()
    for y0, x0, turn in u[: math.floor(s / 10 * short(v) + 1e-9)]:
        angle = 2 * math.pi * common[0] + 2 * math.pi * (0.1 + 0.9 * common[1]) * (turn - 0.5)
        reach = short(v) * np.array([math.cos(angle), math.sin(angle)])
        middle = np.array([y0, x0]) * v.shape[1:]
        start, end = np.trunc(middle - reach), np.trunc(middle + reach)
        for y, x in np.ndindex(v.shape[1:]):
            w = line_weight(y, x, start, end)
            out[:, y, x] = np.floor((1 - w) * out[:, y, x] + 128 * w + 1e-6)
    return out


def bilinear(v: Array, y: Array, x: Array) -> Array:
    return np.stack([ndimage.map_coordinates(c, [y, x], order=1, mode="grid-constant", cval=0) for c in v])


def caustic(shape: tuple[int, ...], tau: float, scale: float) -> Array:
    p = [2 * math.pi * ((i / scale) % 1) - 250 for i in np.indices(shape).astype(float)]
    i0, i1 = p
    c = np.ones(shape)
    for j in range(1, 6):
        t = tau * (1 - 3.5 / j)
        i0, i1 = (
            p[0] + np.cos(t - i0) + np.sin(t + i1),
            p[1] + np.sin(t - i1) + np.cos(t + i0),
        )
        c += 1 / np.hypot(0.005 * p[0] / np.sin(i0 + t), 0.005 * p[1] / np.cos(i1 + t))
    c = np.clip(np.abs(1.17 - (c / 5) ** 1.4) ** 8, 0, 1)
    return ndimage.gaussian_filter(c, 1, mode="reflect", truncate=4)


def refracted(normal: Array, ratio: float) -> Array:
    """A ray from straight above after it has entered a denser body, by Snell's law in vectors, divided by nothing."""
    down = np.array([0.0, 0.0, -1.0])
    cosine = -np.tensordot(normal, down, (0, 0))
    inner = np.sqrt(1 - (1 - cosine**2) / ratio**2)
    return down[:, None, None] / ratio + (cosine / ratio - inner) * normal


def caustic_refraction(v: Array, s: float, draws: Draws) -> Array:
    u = draws.uniform(2)
    c = np.pad(caustic(v.shape[1:], 0.5 + 1.5 * u[0], (0.75 + 0.5 * u[1]) * short(v)), 1)
    dy, dx = c[2:, 1:-1] - c[:-2, 1:-1], c[1:-1, 2:] - c[1:-1, :-2]
    normal = np.stack([dy, dx, np.ones_like(dy)]) / np.sqrt(dy**2 + dx**2 + 1)
    offset = -s / 10 * 0.5 * short(v) * refracted(normal, 4)[:2]
    offset = np.where(normal[2] >= 0.999, 0, np.round(offset, 3))
    y, x = at(v)
    return 255 * np.clip(bilinear(v / 255, y + offset[0], x + offset[1]) + s * 2 / 10 * (dy - dx), 0, 1)


def pinch_and_twirl(v: Array, s: float, draws: Draws) -> Array:
    """Cell after cell in place, each from what the ones before left."""
    g = short(v) // 3
    height, width = v.shape[1:]
    signs = draws.integers(0, 2, width // g, height // g)
    out = v.copy()
    for (column, row), sign in np.ndenumerate(signs):
        cy, cx = row * g + g // 2, column * g + g // 2
        y, x = at(v)
        for i, j in np.ndindex(g, g):
            dy, dx = row * g + i - cy, column * g + j - cx
            r = math.hypot(dy, dx)
            if r > g // 2 or r == 0:
                continue
            d = r / (g // 2)
            turn = (1 if sign else -1) * s / 10 * math.pi / 2 * (1 - d) ** 2
            size = math.sin(math.pi * d / 2) ** -(0.1 + 0.04 * s)
            y[row * g + i, column * g + j] = cy + size * (math.cos(turn) * dy - math.sin(turn) * dx)
            x[row * g + i, column * g + j] = cx + size * (math.sin(turn) * dy + math.cos(turn) * dx)
        out = bilinear(out, y, x)
    return out


def ripple(v: Array, s: float, draws: Draws) -> Array:
    u = draws.uniform(2, 2)
    moved = []
    for p, n, (wave, phase) in zip(at(v), v.shape[1:], u, strict=True):
        period = (0.1 + 0.2 * wave) * n
        moved.append(p + s / 10 * 0.025 * n * np.sin(2 * math.pi * p / period + 2 * math.pi * phase))
    return bilinear(v, *moved)


def circular_motion_blur(v: Array, s: float, draws: Draws) -> Array:
    u = np.arange(-10, 11) / 10
    weight = np.exp(-2 * u**2)
    turned = [[ndimage.rotate(c, s * 1.5 * t, reshape=False, order=3, mode="constant") for c in v] for t in u]
    return np.tensordot(weight / weight.sum(), np.array(turned), (0, 0))


def enlarged(c: Array, factor: float) -> Array:
    big = ndimage.zoom(c, factor, order=3, prefilter=False)
    top, left = ((b - n) // 2 for b, n in zip(big.shape, c.shape, strict=True))
    return big[top : top + c.shape[0], left : left + c.shape[1]]


def transverse_chromatic_abberation(v: Array, s: float, draws: Draws) -> Array:
    factors = [1, 1 + 0.025 * s, 1 + 0.05 * s]
    if len(v) == 1:
        made = np.mean([enlarged(v[0], z) for z in factors], 0, keepdims=True)
    else:
        made = np.stack([enlarged(c, factors[k]) for c, k in zip(v, draws.permutation(3), strict=True)])
    return np.floor(made + 0.5 + 1e-9)


LAWS: dict[str, Callable[[Array, Any, Draws], Array]] = {name: globals()[name] for name in PUBLISHED}
JUMPY = {"caustic_refraction": 0.001, "lines": 0.001, "transverse_chromatic_abberation": 0.001}
"""Share of values that may be off where a law jumps (at the rim of the dead zone, at a cut): there the last bit of a
float decides."""
NEAR = 0.02
"""What all other values may be off, in 1/255."""


def expected(name: str, level: Any, images: Array, first: int = 0) -> Array:
    """What the law gives for uint8 images under keys first, first + 1, ..., in 0..255 before it is stored."""
    made = [LAWS[name](v.astype(float), level, Draws(key)) for key, v in enumerate(images, first)]
    return np.stack(made).clip(0, 255)


def hold(corruption: Corruption) -> None:
    """Assert that a corruption has the published levels and gives what its law says at each of them."""
    name = corruption.name
    assert {t: tuple(levels) for t, levels in corruption.tables.items()} == PUBLISHED[name], "levels"
    for level in sorted({level for levels in PUBLISHED[name].values() for level in levels}):
        for first, images in IMAGES.items():
            want = expected(name, level, images.numpy(), first)
            given = corruption.function(to_float(images), level, Rng(0, STREAM, range(first, first + len(images))))
            off = np.abs(given.double().numpy() * 255 - want)
            assert (off > NEAR).mean() <= JUMPY.get(name, 0), (
                f"severity {level}, images of {tuple(images.shape[1:])}: {(off > NEAR).mean():.2%} of the values are "
                f"off by up to {off.max():.3g}/255"
            )
