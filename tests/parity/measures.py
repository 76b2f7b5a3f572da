"""Real images, the two programs run on them, and the measures by which they are called equal."""

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.stats
import torch
from numpy.typing import NDArray
from parity import peer
from parity.cases import CASES
from parity.replay import Replay
from PIL import Image

import robustmeta.corruptions
from robustmeta.corruptions.frost import frost_from
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

Array = NDArray[Any]

# Equal to rounding: the peer works in float64 and we in float32, which differ by less than this, of 255. Where a value
# lies that close to a whole number, on flat areas for instance, its last bit decides which byte the peer cuts it to, so
# either counts. Of the bytes that are neither, none differs by more than 1, and they are at most one in a thousand.
ROUNDING, EXACT = 2e-3, 1e-9
LARGEST, SHARE = 1, 1e-3
# Equal in distribution: the 90 % interval of the mean difference (two one-sided tests at 5 %) lies within the margins.
MARGINS = {"PSNR": 0.25, "SSIM": 0.01}  # dB; of 1. Stated before anything was compared.
LEVEL = 0.05
PEERS = ("imagecorruptions", "hendrycks = imagecorruptions")  # names of the law that the peer follows
SUBJECTS = 64  # images in a comparison of distributions
DEFINED = 0.95  # of the images must have a result by the published law
BEST = 60.0  # PSNR of an image that has not changed

DATA = Path(os.environ.get("ROBUSTMETA_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


HERE = sorted(CASES.keys() & robustmeta.corruptions.TABLE.keys())
TABLES = [(name, table) for name in HERE for table in ("224", *CASES[name].small)]
RANDOM = [(name, table) for name, table in TABLES if CASES[name].draws]


@cache
def corruption(name: str) -> Corruption:
    """A corruption of ours; frost with the peer's own photographs, where it is installed."""
    if name == "frost":
        return frost_from(Path(str(peer.package().__file__)).parent / "frost")
    return registered(name)


def registered(name: str) -> Corruption:
    """A corruption as a study finds it by name."""
    found = resolve("corruptions", name)
    assert isinstance(found, Corruption)
    return found


@cache
def natural(size: int, n: int, data: Path = DATA) -> Array:
    """Real images, uint8 (n, size, size, 3): CIFAR-10's own at 32, enlarged at 64; centres of those of PACS at 224."""
    if size < 224:
        images = np.load(data / "cifar10_subset.npz")["images"]
        chosen = images[np.linspace(0, len(images) - 1, n).round().astype(int)]
        if size == 32:
            return chosen
        return np.stack([cv2.resize(i, (size, size), interpolation=cv2.INTER_CUBIC) for i in chosen])
    files = sorted(p for p in (data / "pacs_subset").rglob("*") if p.suffix in (".jpg", ".png"))
    picked = [files[i] for i in np.linspace(0, len(files) - 1, n).round().astype(int)]
    whole = [np.asarray(Image.open(p).convert("RGB")) for p in picked]
    edge = [((i.shape[0] - size) // 2, (i.shape[1] - size) // 2) for i in whole]
    return np.stack([i[y : y + size, x : x + size] for i, (y, x) in zip(whole, edge, strict=True)])


def ours(corruption: Corruption, images: Array, level: Any, rng: Rng) -> Array:
    """Our program on (N, H, W, 3), as a study calls it."""
    given = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return corruption(given, level, rng, chunk=len(images)).numpy().transpose(0, 2, 3, 1)


def table_of(name: str, table: str) -> AbstractContextManager[None]:
    """The peer with the levels of that table: its own for "224", the published ones where it has none."""
    return nullcontext() if table == "224" else peer.levels(name, CASES[name].small[table])


def hold_images(corruption: Corruption, table: str, images: Array) -> None:
    """Assert that both give the same images at all levels of a table, under the same draws."""
    case = CASES[corruption.name]
    for severity, level in enumerate(corruption.tables[table], 1):
        where = f"{corruption.name}, table {table}, severity {severity}"
        rng = Replay(0, ("parity",), range(len(images)))
        made = ours(corruption, images, level, rng)
        if case.draws is None:
            assert not rng.drawn, f"{where}: called exact, and it draws {rng.drawn[0][0]}"
        given = [case.draws(rng.of_image(i), level) if case.draws else [] for i in range(len(images))]
        with table_of(corruption.name, table):
            found = {i: published(corruption.name, severity, x, given[i]) for i, x in enumerate(images)}
        want = {i: y for i, y in found.items() if y is not None}
        assert len(want) >= DEFINED * len(images), f"{where}: the peer has a result for {len(want)} images only"
        hold_equal(made[list(want)], np.stack(list(want.values())), where)


def published(name: str, severity: int, image: Array, given: list[Any]) -> Array | None:
    """The peer's image under given draws, before it is cut to bytes; None where its law has no result."""
    try:
        return peer.values(image, name, severity, peer.Given(given))
    except peer.Undefined:
        return None


def hold_equal(made: Array, want: Array, where: str) -> float:
    """Assert that bytes are those of values 0 to 255, to rounding; the share of them that differ."""
    made, want = made.astype(np.float64), want.astype(np.float64)
    band = 0 if np.abs(want - np.rint(want)).max() < EXACT else ROUNDING  # a law of whole numbers leaves nothing open
    off = np.maximum(np.maximum(np.floor(want - band) - made, made - np.floor(want + band)), 0).astype(int)
    share = float((off > 0).mean())
    text = f"{where}: {share:.3%} of the values differ, by {off.max()}/255 at most"
    assert off.max() <= LARGEST, text
    assert share <= SHARE, text
    return share


def hold_labels(made: Corruption) -> None:
    """Assert that each table of pixels is labelled with what is shown of it, and says whose law it is."""
    for table in (t for t in made.tables if t.isdecimal()):
        label, law = made.parity.get(table), made.laws.get(table)
        text = f"{made.name}, table {table}: the label is {label}, the law {law}"
        assert label == (CASES[made.name].label(table) if law in PEERS else "none"), text
        assert law, text


def psnr(made: Array, clean: Array) -> float:
    """10 log₁₀(255² / mean (made − clean)²), at most ``BEST``."""
    error = float(np.square(made.astype(np.float64) - clean).mean())
    return min(BEST, 10 * np.log10(255**2 / max(error, 1e-9)))


WINDOW = 7
"""Pixels of the side of a window of SSIM, as scikit-image has it."""


def ssim(made: Array, clean: Array) -> float:
    """Structural similarity (Wang et al. 2004, equation 13) over windows that lie within the image.

    The mean of the channels of (H, W, 3): the number that scikit-image gives, by faster filters.
    """
    x, y = made.astype(np.float64), clean.astype(np.float64)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    mx, my = _windows(x), _windows(y)
    vx, vy = sample * (_windows(x * x) - mx * mx), sample * (_windows(y * y) - my * my)
    both = sample * (_windows(x * y) - mx * my)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


def _windows(values: Array) -> Array:
    edge = slice(WINDOW // 2, -(WINDOW // 2))
    return cv2.blur(values, (WINDOW, WINDOW))[edge, edge]


MEASURES = {"PSNR": psnr, "SSIM": ssim}


def measured(made: Array, clean: Array) -> Array:
    """(N, 2): PSNR and SSIM of each image."""
    return np.array([[f(m, c) for f in MEASURES.values()] for m, c in zip(made, clean, strict=True)])


def compared(corruption: Corruption, table: str, severity: int, images: Array, most: int = 1000) -> tuple[Array, Array]:
    """(N, 2) PSNR and SSIM of ours and of the peer's images, each with draws of its own, averaged over the repeats.

    There are ``most`` repeats at most. Where the peer has no such law, its measures are NaN.
    """
    case, level = CASES[corruption.name], corruption.tables[table][severity - 1]
    repeats, source = min(most, case.repeats.get(table, 1)), np.random.RandomState(severity)
    mine, theirs = [], [np.full((len(images), 2), np.nan)]
    for repeat in range(repeats):
        made = ours(corruption, images, level, Rng(repeat, ("parity", severity), range(len(images))))
        mine.append(measured(made, images))
    if table in ("224", *case.small):
        with table_of(corruption.name, table):
            theirs = [
                measured(np.stack([peer.corrupt(i, corruption.name, severity, source) for i in images]), images)
                for _ in range(repeats)
            ]
    return np.mean(mine, 0), np.mean(theirs, 0)


def hold_distribution(
    corruption: Corruption, table: str, severity: int, images: Array
) -> dict[str, tuple[float, float]]:
    """Assert that PSNR and SSIM are equal on average within the margins."""
    mine, theirs = compared(corruption, table, severity, images)
    for name, difference in zip(MEASURES, (mine - theirs).T, strict=True):
        low, high = interval(difference)
        where = f"{corruption.name}, table {table}, severity {severity}"
        text = f"{where}: {name} differs by {low:+.4f} to {high:+.4f} over {len(images)} images"
        assert -MARGINS[name] < low, text
        assert high < MARGINS[name], text


def interval(difference: Array) -> tuple[float, float]:
    """The 1 − 2 · LEVEL interval of a mean, by Student's t."""
    n = len(difference)
    half = scipy.stats.t.ppf(1 - LEVEL, n - 1) * difference.std(ddof=1) / np.sqrt(n)
    return float(difference.mean() - half), float(difference.mean() + half)
