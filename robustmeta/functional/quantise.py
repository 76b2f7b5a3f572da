"""Images as bytes and back, for laws that are stated on 8-bit images."""

from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

Bytes = NDArray[np.uint8]
Value = TypeVar("Value", np.uint8, np.float64)


def nearest_bytes(x: Float[Tensor, "*batch H W"]) -> UInt8[Bytes, "*batch H W"]:
    """The nearest of 256 values, rint(255 · x), on the CPU."""
    given = x.detach().cpu().contiguous().numpy()
    made = np.empty(x.shape, np.uint8)
    cv2.convertScaleAbs(given.reshape(-1, x.shape[-1]), made.reshape(-1, x.shape[-1]), alpha=255)
    return made


def from_bytes(made: UInt8[Bytes, "*batch H W"], like: Tensor) -> Float[Tensor, "*batch H W"]:
    """Bytes k as k / 255, on the device of ``like``."""
    return torch.from_numpy(np.divide(made, np.float32(255))).to(like.device)


def through_bytes(x: Float[Tensor, "*batch H W"], work: Callable[[Bytes], Bytes]) -> Float[Tensor, "*batch H W"]:
    """Images rounded to 8 bits, worked on as bytes, and given back as k / 255."""
    return from_bytes(work(nearest_bytes(x)), x)


def look_up(k: UInt8[Bytes, "A B"], table: NDArray[Value]) -> NDArray[Value]:
    """The entry table[k] of each byte; ``table`` has 256."""
    made = np.empty(k.shape, table.dtype)
    cv2.LUT(k, table, made)
    return made
