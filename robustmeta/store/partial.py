"""Checkpoints of trainings that are under way: a file a cell beside the store, gone when the cell is stored."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from robustmeta.store.cells import Store

FACTS = "facts"
Groups = Mapping[str, Mapping[str, Tensor]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Partial:
    """What a training has come to: tensors by group and name, and facts (JSON)."""

    tensors: Groups
    facts: Mapping[str, Any]


class Partials:
    """The checkpoints beside a store, ``partial/<key>.safetensors``. The format cannot carry code."""

    def __init__(self, store: Store) -> None:
        self.store, self.folder = store, store.folder / "partial"

    def path(self, key: str) -> Path:
        """Where the checkpoint of a cell is."""
        return self.folder / f"{key}.safetensors"

    def save(self, key: str, partial: Partial) -> None:
        """Replace the checkpoint of a cell; one that cannot be written is a warning: training needs it not."""
        draft = self.store.folder / f".writing-partial-{key}-{os.getpid()}"
        try:
            flat = {f"{group}/{k}": v.contiguous() for group, some in partial.tensors.items() for k, v in some.items()}
            facts = {FACTS: json.dumps(partial.facts)}
            self.folder.mkdir(parents=True, exist_ok=True)
            draft.mkdir(exist_ok=True)
            save_file(flat, draft / "state", facts)
            with (draft / "state").open("rb") as handle:
                os.fsync(handle.fileno())
            (draft / "state").replace(self.path(key))
        except Exception as error:  # safetensors raises its own type, which it does not export
            log.warning("%s: no checkpoint of the training that is under way: %s", self.path(key), error)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def load(self, key: str) -> Partial | None:
        """The checkpoint of a cell; None if there is none, or, with a warning, if it cannot be read."""
        path, groups = self.path(key), dict[str, dict[str, Tensor]]()
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                for name in file.keys():  # noqa: SIM118  (no mapping)
                    group, _, own = name.partition("/")
                    groups.setdefault(group, {})[own] = file.get_tensor(name)
                return Partial(groups, json.loads(file.metadata()[FACTS]))
        except Exception as error:  # of safetensors, of JSON, of the disk
            ignored(path, error)
            return None

    def discard(self, key: str) -> None:
        """Remove the checkpoint of a cell, and the folder with the last."""
        self.path(key).unlink(missing_ok=True)
        with suppress(OSError):  # others are in it, or it is gone
            self.folder.rmdir()

    def tidy(self) -> None:
        """Remove the checkpoints of cells that are stored: of processes that were killed between the two."""
        for path in list(self.folder.glob("*.safetensors")):
            if self.store.has(path.stem):
                self.discard(path.stem)


def ignored(path: Path, error: Exception) -> None:
    """Say in the log that training starts anew in spite of a checkpoint."""
    log.warning("%s: ignored, training starts from its first step: %s", path, error)
