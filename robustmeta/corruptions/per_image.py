"""Programs of others that change one 8-bit image at a time, as functions of a batch."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.registry import unknown
from robustmeta.rng import Rng

Pixels = NDArray[np.uint8]
Program = Callable[[Pixels, int], Any]
"""(image (H, W, C), seed) -> image."""

_GRAY = 128


def each(x: Tensor, rng: Rng, program: Program, name: str) -> Tensor:
    """Give every image of x (N, C, H, W) in [0, 1] to a program, as 8 bits and with a seed of 64 bits from its key.

    A gray image that the program does not take is given to it as three equal channels, whose mean is the result.

    Raises:
        ValueError: a result of another shape or type; ``name`` is whom the message blames.
    """
    images = x.mul(255).round_().byte().movedim(1, -1).cpu().numpy()
    colours = 3 if images.shape[-1] == 1 and not _takes(program, images.shape[1:]) else 1
    out = np.empty(images.shape, np.float32)
    for i, seed in enumerate(rng.bits(1)[:, 0]):
        given = np.ascontiguousarray(np.repeat(images[i], colours, -1))
        made = _checked(program(given, int(seed)), given, name)
        out[i] = made.mean(-1, keepdims=True) if colours == 3 else made
    return torch.from_numpy(out).movedim(-1, 1).contiguous().div_(255).to(x.device)


def _takes(program: Program, shape: tuple[int, ...]) -> bool:
    """Whether it keeps that many channels; asked of a plain one, so that the answer is the same for all."""
    try:
        made = program(np.full(shape, _GRAY, np.uint8), 0)
    except Exception:  # what a program raises for a channel too few is its own affair
        return False
    return np.shape(made)[2:] == shape[2:]


def _checked(made: Any, given: Pixels, name: str) -> Pixels:
    if not isinstance(made, np.ndarray) or made.dtype != np.uint8 or made.shape != given.shape:
        got = f"{made.dtype} {made.shape}" if isinstance(made, np.ndarray) else type(made).__name__
        raise ValueError(f"{name} returned {got}; a corruption keeps {given.dtype} {given.shape}")
    return made


def arguments(name: str, level: object, known: Iterable[str]) -> dict[str, Any]:
    """A level as arguments of a program.

    Raises:
        ValueError: it is no mapping, or holds an argument that is not ``known``; the message suggests a near one.
    """
    known = list(known)
    if not isinstance(level, dict):
        raise ValueError(f"a level of {name} is a mapping of its arguments ({', '.join(known)}), not {level!r}")
    for argument in level:
        if argument not in known:
            raise ValueError(unknown(argument, known, f"argument of {name}"))
    return level
