"""Independent forms of what covers images or takes their pixels, for tests and their faults."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from robustmeta.core import to_float
from robustmeta.corruptions.resolution_loss import resolution_loss
from robustmeta.corruptions.samples import scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

SIZES = [(28, 28), (32, 32), (84, 84), (48, 36)]
MANY = 300


def covered(corruption: Corruption, level: float, size: tuple[int, int], n: int = MANY) -> Tensor:
    """Where pixels change, of images that are nowhere the colour of what covers them: (N, H, W)."""
    x = torch.full((n, 1, *size), 2.0)  # outside of the range, so that any cover shows
    return (corruption.function(x, level, Rng(0, ("o",), range(n))) != 2)[:, 0]


def hold_part(corruption: Corruption) -> None:
    """Each level covers its part of the pixels, exactly."""
    for size in SIZES:
        for part in corruption.tables["levels"]:
            counts = covered(corruption, part, size).sum((1, 2))
            want = int(np.ceil(round(part * size[0] * size[1], 6)))
            assert (counts == want).float().mean() > 0.99, f"{part} of {size}"  # two pixels may be equally near
            assert want <= counts.min(), f"{part} of {size}"
            assert counts.max() <= want + 4, f"{part} of {size}"


def hold_nested(corruption: Corruption) -> None:
    """A stronger level covers more, and what a milder one covers in the same way."""
    for size in SIZES:
        x = to_float(scenes(40, max(size)))[:, :, : size[0], : size[1]]
        before = x
        for level in corruption.tables["levels"]:
            after = corruption.function(x, level, Rng(0, ("o",), range(40)))
            changed = (before != x).any(1, keepdim=True).expand_as(x)
            assert torch.equal(after[changed], before[changed]), f"level {level} at {size}"
            assert (after != x).any(1).sum() > (before != x).any(1).sum(), f"level {level} at {size}"
            before = after


def published_square(height: int, width: int, row: int, column: int, length: int) -> np.ndarray:
    """The square of DeVries and Taylor around a pixel: ``length`` wide, cut at the border."""
    mask = np.zeros((height, width), bool)
    top, left = row - length // 2, column - length // 2
    mask[max(0, top) : max(0, top + length), max(0, left) : max(0, left + length)] = True
    return mask


def hold_cutout(corruption: Corruption) -> None:
    """The published square of the level's area, around a pixel that is uniformly drawn."""
    for height, width in SIZES:
        rng = Rng(0, ("o",), range(MANY))
        rows, columns = rng.integers(0, height).tolist(), rng.integers(0, width).tolist()
        assert (min(rows), max(rows), min(columns), max(columns)) == (0, height - 1, 0, width - 1)
        for part in corruption.tables["levels"]:
            length = 2 * round((part * height * width) ** 0.5 / 2)
            got = covered(corruption, part, (height, width)).numpy()
            for mask, row, column in zip(got, rows, columns, strict=True):
                want = published_square(height, width, row, column, length)
                assert np.array_equal(mask, want), f"{part} of {height} x {width} around {row}, {column}"


def triangles(length: int, factor: float) -> np.ndarray:
    """One axis: a triangle filter at each of fewer samples, then linear interpolation between these."""
    small = max(1, round(length / factor))
    ratio = length / small
    centre = (np.arange(small) + 0.5) * ratio
    down = np.clip(1 - np.abs(np.arange(length) + 0.5 - centre[:, None]) / ratio, 0, None)
    down /= down.sum(1, keepdims=True)
    at = np.clip((np.arange(length) + 0.5) / ratio - 0.5, 0, small - 1)
    up = np.clip(1 - np.abs(at[:, None] - np.arange(small)), 0, None)
    return up @ down


def hold_resolution(law: Callable[[Tensor, float], Tensor]) -> None:
    """The law is linear along each axis, with the weights of the two filters."""
    for size in SIZES:
        x = Rng(0, ("x",), range(3)).uniform(3, *size)
        for factor in resolution_loss.tables["levels"]:
            rows, columns = (triangles(side, factor) for side in size)
            want = np.einsum("ij,ncjk,lk->ncil", rows, x.double().numpy(), columns)
            np.testing.assert_allclose(law(x, factor).numpy(), want, atol=2e-6)
