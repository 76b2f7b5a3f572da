"""Images in the forms that people hold them in, each read and written as (N, C, H, W) a few rows at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MODES = {"L": 1, "RGB": 3}


@dataclass(frozen=True, eq=False)
class Frame:
    """Images of one size, and the place where what becomes of them is written.

    Attributes:
        shape: (N, C, H, W).
        read: rows -> a contiguous copy of them, (n, C, H, W), uint8 or float32.
        write: puts such rows into the result.
        result: of the type, layout, dtype and device of the images.
    """

    shape: tuple[int, int, int, int]
    read: Callable[[slice], Tensor]
    write: Callable[[slice, Tensor], None]
    result: Any


def of_tensor(images: Tensor) -> Frame:
    """A tensor (H, W), (C, H, W) or (N, C, H, W); its subclass is kept (torchvision's Image)."""
    if images.dtype != torch.uint8 and images.dtype not in FLOATS:
        raise ValueError(_WRONG_TYPE.format(got=images.dtype))
    source = images.detach()
    axis = channel_axis(tuple(images.shape), (-3,), "tensor")
    _check_range(source.dtype == torch.uint8 or not source.numel(), lambda: tuple(map(float, torch.aminmax(source))))
    result = torch.empty_like(source)
    given, made = (_nchw(t, axis, torch.movedim) for t in (source, result))
    kind = torch.uint8 if source.dtype == torch.uint8 else torch.float32

    def read(rows: slice) -> Tensor:
        return given[rows].to(kind, copy=True, memory_format=torch.contiguous_format)

    def write(rows: slice, pixels: Tensor) -> None:
        made[rows] = pixels

    return Frame(_four(given.shape), read, write, result.as_subclass(type(source)))


def of_array(images: NDArray[Any]) -> Frame:
    """A NumPy array (H, W), (C, H, W), (H, W, C), (N, C, H, W) or (N, H, W, C)."""
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(_WRONG_TYPE.format(got=images.dtype))
    axis = channel_axis(images.shape, (-3, -1), "array")
    _check_range(images.dtype == np.uint8 or not images.size, lambda: (float(images.min()), float(images.max())))
    result = np.empty(images.shape, images.dtype)
    given, made = (_nchw(a, axis, np.moveaxis) for a in (images, result))
    kind = np.uint8 if images.dtype == np.uint8 else np.float32

    def read(rows: slice) -> Tensor:
        return torch.from_numpy(np.array(given[rows], kind, order="C"))

    def write(rows: slice, pixels: Tensor) -> None:
        made[rows] = pixels.numpy()

    return Frame(_four(given.shape), read, write, result)


def of_pictures(images: Sequence[Image.Image]) -> Frame:
    """Pillow images of one size and mode, L or RGB; the result is a list."""
    width, height, channels = *images[0].size, MODES[images[0].mode]
    result: list[Image.Image] = []  # rows are written in order

    def read(rows: slice) -> Tensor:
        pixels = np.stack([np.asarray(image).reshape(height, width, channels) for image in images[rows]])
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))

    def write(rows: slice, pixels: Tensor) -> None:
        result.extend(to_picture(image) for image in pixels)

    return Frame((len(images), channels, height, width), read, write, result)


def to_picture(pixels: Tensor) -> Image.Image:
    """uint8 (C, H, W) to a Pillow image, L or RGB."""
    return Image.fromarray(pixels[0].numpy() if len(pixels) == 1 else pixels.movedim(0, -1).contiguous().numpy())


def checked_picture(image: object, where: str = "") -> Image.Image:
    """A Pillow image that is gray or RGB. Raises TypeError for what is none, ValueError for another mode."""
    if not isinstance(image, Image.Image):
        expected = "expected a torch.Tensor, a NumPy array, a Pillow image or a list of Pillow images"
        raise TypeError(f"{expected}; got {type(image).__name__}{where}")
    if image.mode not in MODES:
        raise ValueError(f"a Pillow image must have mode L or RGB, got {image.mode}; use image.convert('RGB')")
    return image


def channel_axis(shape: tuple[int, ...], axes: Sequence[int], what: str) -> int | None:
    """The axis among ``axes`` (-3, -1) that holds 1 or 3 channels; None for (H, W).

    Raises:
        ValueError: none of them does, or both do, or the number of dimensions is not 2, 3 or 4.
    """
    if len(shape) == 2:
        return None
    found = [axis for axis in axes if shape[axis] in (1, 3)] if len(shape) in (3, 4) else []
    if len(found) == 1:
        return found[0]
    both = " or ".join(["(C, H, W)", "(H, W, C)"][: len(axes)])
    rule = f"expected (H, W), {both}, with N in front for several, and C = 1 or 3"
    if found:
        text = "two axes can be the channels; give a torch.Tensor, whose channels stand in front of H and W"
        raise ValueError(f"{what} of shape {shape} is ambiguous: {text}")
    text = f"{what} of shape {shape} is no image and no batch of images: {rule}"
    raise ValueError(f"{text}; gray images without an axis for the channel need one: images[:, None]")


_WRONG_TYPE = "images must be uint8, or floating point in [0, 1]; got {got}; convert 0..255 to uint8"


def _check_range(sure: bool, limits: Callable[[], tuple[float, ...]]) -> None:
    """Raise ValueError for floats that are not within [0, 1]."""
    low, high = (0.0, 1.0) if sure else limits()
    if not (low >= 0 and high <= 1):  # also where they are NaN
        hint = "replace NaN" if low != low else "divide by 255, or give uint8" if low >= 0 and high > 2 else ""
        hint = hint or "clamp to [0, 1]; corrupt images before they are normalised"
        raise ValueError(f"floating-point images must lie in [0, 1], got [{low:.4g}, {high:.4g}]; {hint}")


def _nchw(images: Any, axis: int | None, movedim: Callable[[Any, int, int], Any]) -> Any:
    """A view of them as (N, C, H, W)."""
    if axis is None:
        return images[None, None]
    return movedim(images if images.ndim == 4 else images[None], axis, -3)


def _four(shape: Sequence[int]) -> tuple[int, int, int, int]:
    n, c, h, w = shape
    if not h * w:
        raise ValueError(f"images of {h} x {w} pixels have none")
    return n, c, h, w
