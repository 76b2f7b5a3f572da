"""Corrupt images in one call; a study takes the same way and gets the same pixels."""

import hashlib
import operator
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from robustmeta.core import row_chunks
from robustmeta.corruptions.layout import Frame, checked_picture, of_array, of_pictures, of_tensor
from robustmeta.corruptions.recipe import Chain, Recipe, recipe
from robustmeta.rng import Keys, Rng
from robustmeta.shifts.shift import Stage
from robustmeta.threads import over

Ids = int | Sequence[int] | NDArray[Any] | Tensor
Given = TypeVar("Given", Tensor, NDArray[Any], Image.Image, list[Image.Image])


def corrupt(
    images: Given,
    corruption: Chain,
    severity: int | None = None,
    *,
    seed: int = 0,
    ids: Ids | None = None,
    table: str = "auto",
    level: object = None,
) -> Given:
    """Corrupt images; type, layout, dtype and device stay what they are. The images are not changed.

    Float images stay exact (no 8 bits in between); uint8 images are cut to uint8 after each corruption, as the
    published programs do. Images go 4 MiB of float32 at a time: beyond the result that takes, with what a corruption
    needs for itself, some 200 MiB, however many there are. Nothing is differentiated.

    Args:
        images: a torch.Tensor (H, W), (C, H, W) or (N, C, H, W); a NumPy array, whose channels may also stand last; a
            Pillow image (L or RGB) or a list of them, of any sizes. uint8, or floats in [0, 1]. C is 1 or 3; the
            channels of an array are the axis of length 1 or 3 right in front of H, W or right behind, and not both.
        corruption: a name (``robustmeta list corruptions``), module:attr, file.py:attr, a decorated function, or a
            list of these in order; with ``("fog", 2)`` in place of a name, that one has its own severity.
        severity: 1 to 5.
        seed: of all draws; any integer.
        ids: an integer from 0 to 2⁶⁴ − 1 for each image: equal ids get equal draws, whatever else is in the batch.
            If not given, the number of the row; images given one by one then all share one draw.
        table: which severity table; ``auto`` goes by the short side of the image.
        level: a level instead of a severity, for one corruption.

    Raises:
        ValueError: images of another type, shape or range, wrong ids; as ComponentError an unknown name, table or
            severity. TypeError: no images at all. CellError: the corruption itself failed.

    >>> gray = np.full((2, 28, 28), 128, np.uint8)[:, None]
    >>> foggy = corrupt(gray, "gaussian_noise", severity=3, seed=0)
    >>> foggy.shape, foggy.dtype
    ((2, 1, 28, 28), dtype('uint8'))
    """
    return follow(recipe(corruption, severity, table, level), images, seed, ids)


def corrupt_chain(
    images: Shaped[Tensor, "N C H W"], stages: Sequence[Stage], seed: int, ids: Keys
) -> Shaped[Tensor, "N C H W"]:
    """Images under corruptions in order; the one at position p draws from (seed, "corruption", its name, p) and ids.

    Images are uint8 or float32 in [0, 1]; ``ids`` is uint64 (N,). Row i depends on image i and ``ids[i]`` alone.

    Raises:
        CellError: a corruption failed.
    """
    sources = [Rng(seed, ("corruption", stage.corruption.name, place), ids) for place, stage in enumerate(stages)]
    out = torch.empty_like(images)

    def work(rows: slice) -> None:
        part = images[rows]
        for stage, rng in zip(stages, sources, strict=True):
            part = _once(part, stage, rng.at(rows))
        out[rows] = part

    spread = images.device.type == "cpu" and all(stage.corruption.in_threads for stage in stages)
    over(work, row_chunks(images), spread=spread)
    return out


def _once(images: Tensor, stage: Stage, rng: Rng) -> Tensor:
    if images.dtype == torch.uint8:
        return stage.corruption(images, stage.level, rng, len(images))
    return stage.corruption.apply(images, stage.level, rng).clamp(0, 1)  # a corruption may miss [0, 1] by rounding


def follow(chosen: Recipe, images: Given, seed: int, ids: Ids | None) -> Given:
    """``corrupt`` with what to do already checked."""
    frames = _frames(images)
    keys = _keys(ids, sum(frame.shape[0] for _, frame in frames))
    for numbers, frame in frames:
        stages = chosen.stages(*frame.shape[2:])
        for rows in _chunks(frame):
            frame.write(rows, corrupt_chain(frame.read(rows), stages, seed, keys[numbers][rows]))
    return _whole(images, frames)


def _whole(images: object, frames: Sequence[tuple[NDArray[np.int64], Frame]]) -> Any:
    """The results of all frames in the form of the images."""
    if not isinstance(images, Image.Image | list):
        return frames[0][1].result
    made = {int(k): picture for numbers, frame in frames for k, picture in zip(numbers, frame.result, strict=True)}
    return [made[k] for k in range(len(made))] if isinstance(images, list) else made[0]


def content_ids(images: Tensor | NDArray[Any] | Image.Image | list[Image.Image]) -> Keys:
    """An id for each image: a hash of its size and its pixels, rounded to 8 bits. Equal images have equal ids."""
    frames = _frames(images)
    ids = np.empty(sum(frame.shape[0] for _, frame in frames), np.uint64)
    for numbers, frame in frames:
        head = repr(frame.shape[1:]).encode()
        for rows in _chunks(frame):
            x = frame.read(rows)
            pixels = (x if x.dtype == torch.uint8 else x.mul_(255).round_().byte()).cpu().numpy()
            ids[numbers[rows]] = [_hash(head + image.tobytes()) for image in pixels]
    return ids


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _chunks(frame: Frame) -> list[slice]:
    return row_chunks(torch.empty(frame.shape, device="meta"))


def _frames(images: object) -> list[tuple[NDArray[np.int64], Frame]]:
    """The images by size, each set with their numbers."""
    if isinstance(images, Tensor):
        return [_numbered(of_tensor(images))]
    if isinstance(images, np.ndarray):
        return [_numbered(of_array(images))]
    many = isinstance(images, list)
    pictures = [checked_picture(p, " in a list") for p in images] if many else [checked_picture(images)]
    groups: defaultdict[tuple[str, int, int], list[int]] = defaultdict(list)
    for number, picture in enumerate(pictures):
        groups[picture.mode, *picture.size].append(number)
    return [(np.array(numbers), of_pictures([pictures[k] for k in numbers])) for numbers in groups.values()]


def _numbered(frame: Frame) -> tuple[NDArray[np.int64], Frame]:
    return np.arange(frame.shape[0]), frame


def _keys(ids: Ids | None, n: int) -> Keys:
    if ids is None:
        return np.arange(n, dtype=np.uint64)
    given = np.atleast_1d(np.asarray(ids, object))  # as Python's integers: NumPy takes a list of large ones for floats
    if given.shape != (n,):
        raise ValueError(f"expected an id for each of {n} images, got ids of shape {given.shape}")
    try:
        return np.array([operator.index(i) for i in given], np.uint64)
    except (TypeError, OverflowError):
        text = "ids are integers from 0 to 2^64 - 1 (hash names with robustmeta.rng.hash64)"
        raise ValueError(f"{text}; got {ids!r}") from None
