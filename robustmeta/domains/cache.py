"""Arrays that are dear to make, kept as .npy files under $ROBUSTMETA_CACHE, else ./datasets/cache."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from robustmeta.config.components import Source


def data_key(source: Source, *parts: str) -> str:
    """sha256 of a source's choices (no paths) and of what its data are made from."""
    return _sha(json.dumps(source.identity(), sort_keys=True), *parts)


def cached(kind: str, key: str, build: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array of that kind and key, memory-mapped copy-on-write if it is there, else built and kept.

    A damaged file is built anew; a folder that cannot be written costs time and nothing else.
    """
    path = Path(os.environ.get("ROBUSTMETA_CACHE") or "datasets/cache") / f"{kind}-{_sha(key)[:32]}.npy"
    with suppress(OSError, ValueError, EOFError):
        return np.load(path, mmap_mode="c")
    array = build()
    with suppress(OSError):
        _write(path, array)
    return array


def _sha(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _write(path: Path, array: NDArray[Any]) -> None:
    # renamed only when whole, so that no reader ever sees a part of it
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{uuid4().hex}.part")
    try:
        with temporary.open("wb") as file:
            np.save(file, array)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
