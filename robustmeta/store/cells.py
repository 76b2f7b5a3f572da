"""Cells: units of stored work, addressed by what goes into them and written all at once or not at all."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import load_file, save_file
from torch import Tensor

PACKAGES = (
    "robustmeta",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "albumentations",
    "matplotlib",
    "pillow",
)


class StoreError(OSError):
    """The store cannot be written or read; the message says where and why."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One piece of work. Its key is a hash of its inputs, so it is known before anything has run.

    Attributes:
        kind: train, tune or evaluate.
        spec: canonical description (JSON), without paths and labels.
        parents: keys of the cells whose output it reads.
    """

    kind: str
    spec: Mapping[str, Any]
    parents: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits of sha256(kind, spec, parents)."""
        text = json.dumps([self.kind, self.spec, self.parents], sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Content:
    """What a cell holds: tables and tensors by file name, facts of its protocol, and costs (outside its identity)."""

    tables: Mapping[str, pd.DataFrame]
    tensors: Mapping[str, Mapping[str, Tensor]]
    protocol: Mapping[str, Any]
    costs: Mapping[str, float]


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that numbers may depend on."""
    return {p: version(p) for p in PACKAGES}


class Store:
    """A folder of cells. A cell is there when its folder is: it is written beside and renamed into place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, key: str) -> bool:
        """Whether the cell is there."""
        return (self.folder / key / "cell.json").is_file()

    def prepare(self) -> None:
        """Make the folder and clear what killed processes left. Raises StoreError if it cannot be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(".writing-*"):
                if not _alive(int(left.name.rpartition("-")[2])):
                    shutil.rmtree(left, ignore_errors=True)
            probe = self.folder / f".writing-probe-{os.getpid()}"
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            raise _store_error(self.folder, error) from error

    def write(self, cell: Cell, content: Content) -> None:
        """Store a cell; where another process was first, its copy stays."""
        final = self.folder / cell.key
        draft = self.folder / f".writing-{cell.key}-{os.getpid()}"
        head = {
            "key": cell.key,
            "kind": cell.kind,
            "spec": cell.spec,
            "parents": cell.parents,
            "protocol": content.protocol,
            "versions": versions(),
        }
        try:
            draft.mkdir(parents=True, exist_ok=True)
            for name, table in content.tables.items():
                table.to_parquet(draft / f"{name}.parquet", index=False)
            for name, tensors in content.tensors.items():
                save_file({k: v.contiguous() for k, v in tensors.items()}, draft / f"{name}.safetensors")
            (draft / "costs.json").write_text(json.dumps(dict(content.costs), indent=1))
            (draft / "cell.json").write_text(json.dumps(head, indent=1, sort_keys=True))
            for file in draft.iterdir():
                _flush(file)
            try:
                draft.rename(final)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
        except OSError as error:
            raise _store_error(self.folder, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def head(self, key: str) -> dict[str, Any]:
        """The cell's spec, parents, protocol and versions."""
        return self._json(key, "cell.json")

    def costs(self, key: str) -> dict[str, float]:
        """What the cell took: seconds, passes, and when it was finished (epoch seconds)."""
        return self._json(key, "costs.json")

    def table(self, key: str, name: str) -> pd.DataFrame:
        """One of the cell's tables."""
        path = self.folder / key / f"{name}.parquet"
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from error

    def tensors(self, key: str, name: str) -> dict[str, Tensor]:
        """One of the cell's sets of tensors. The format cannot carry code."""
        path = self.folder / key / f"{name}.safetensors"
        try:
            return load_file(path)
        except Exception as error:  # safetensors raises its own type, which it does not export
            raise _damaged(path, error) from error

    def _json(self, key: str, name: str) -> dict[str, Any]:
        path = self.folder / key / name
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from error


def _flush(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _store_error(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{folder}: cannot write the store: {error.strerror or error}; free space or choose another --root"
    )


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path}: cannot be read ({error}); delete the folder {path.parent} and run the study again")
