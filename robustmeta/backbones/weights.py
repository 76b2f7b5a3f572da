"""Files of weights: read without running what may hide in them, and known by their content."""

import pickle
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from robustmeta.core import DataError


def digest(path: Path) -> str:
    """The sha256 of a file's bytes.

    Raises:
        DataError: there is no such file.
    """
    if not path.is_file():
        raise DataError(f"{path.absolute()}: no such file of weights")
    stat = path.stat()
    return _digest(path, stat.st_mtime_ns, stat.st_size)


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        total = sha256()
        while block := file.read(2**20):
            total.update(block)
    return total.hexdigest()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name: safetensors, or what ``torch.save`` wrote of a state dict.

    Raises:
        DataError: the file is damaged, or holds anything but tensors; nothing of it has been run.
    """
    kind = "safetensors" if path.suffix == ".safetensors" else "PyTorch"
    try:
        found: Any = load_file(path) if kind == "safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path}: holds more than tensors, which may be code, and is not loaded "
            f"({str(error).splitlines()[0]}); save the state dict as safetensors"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable {kind} file of weights: {error}") from None
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        inside = ", ".join(map(str, list(found)[:5])) if isinstance(found, Mapping) else type(found).__name__
        raise DataError(f"{path}: expected a mapping of names to tensors, got {inside}; save the state dict alone")
    return dict(found)


def fill(model: nn.Module, path: Path, head: tuple[str, ...]) -> None:
    """Load a file into a model whose head is cut off: tensors below the names in ``head`` are left out.

    Raises:
        DataError: the file is not readable, or not of this model.
    """
    below = tuple(f"{name}." for name in head)
    try:
        model.load_state_dict({k: v for k, v in read_weights(path).items() if not k.startswith(below)})
    except RuntimeError as error:
        raise DataError(f"{path}: the weights are not those of this model: {error}") from None
