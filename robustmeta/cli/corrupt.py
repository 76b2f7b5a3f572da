"""A folder of images into a folder of corrupted ones."""

import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from robustmeta.cli.image_files import Pixels, decode, encode, find, outputs, write_whole
from robustmeta.core import CHUNK_BYTES, CellError, DataError
from robustmeta.corruptions.apply import corrupt_chain
from robustmeta.corruptions.recipe import Recipe
from robustmeta.rng import hash64

LABEL = "robustmeta.json"
"""The file that says what a folder of corrupted images holds."""
FULL = CHUNK_BYTES // 4
"""Bytes of decoded images of one size that are corrupted at a time."""
WAITING = 16 * FULL
"""Bytes of decoded images that may wait for others of their size."""
WINDOW = 8
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Job:
    """What becomes of the images of a folder; ``names``: image -> where it goes, both as paths in their folders."""

    source: Path
    target: Path
    recipe: Recipe
    seed: int
    names: dict[str, str]
    failures: dict[str, str] = field(default_factory=dict)
    tables: Counter[str] = field(default_factory=Counter[str])

    def label(self) -> dict[str, Any]:
        """What the images of the target are, as JSON types."""
        part = self.recipe.parts[0]
        head = {"corruption": part.corruption.name, "version": part.corruption.version}
        rest = {"severity": part.severity, "table": self.recipe.table, "seed": self.seed}
        return {**head, "source": part.corruption.source, **rest}

    def run(self, members: Sequence[str], done: Callable[[int], None]) -> None:
        """Corrupt images, those of one size together; no pixel depends on which these are."""
        groups: defaultdict[Shape, dict[str, Pixels]] = defaultdict(dict)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for start in range(0, len(members), WINDOW):
                for member, pixels in pool.map(self._read, members[start : start + WINDOW]):
                    if pixels is None:
                        done(1)
                    else:
                        groups[pixels.shape][member] = pixels
                for shape in _ripe({shape: len(group) * math.prod(shape) for shape, group in groups.items()}):
                    done(self._write(groups.pop(shape), pool))
            for group in groups.values():
                done(self._write(group, pool))

    def _read(self, member: str) -> tuple[str, Pixels | None]:
        try:
            return member, decode(self.source / member)
        except Exception as error:  # Pillow raises more than OSError for broken images
            self.failures[member] = str(error) or type(error).__name__
            return member, None

    def _write(self, group: dict[str, Pixels], pool: ThreadPoolExecutor) -> int:
        images = torch.from_numpy(np.stack([*group.values()]))
        height, width = images.shape[2:]
        keys = np.array([hash64(member) for member in group], np.uint64)
        try:
            made = corrupt_chain(images, self.recipe.stages(height, width), self.seed, keys).numpy()
        except CellError as error:
            if len(group) > 1:  # which of them it is must not depend on the others
                return sum(self._write({member: pixels}, pool) for member, pixels in group.items())
            self.failures.update(dict.fromkeys(group, str(error)))
            return 1
        list(pool.map(lambda member, pixels: encode(pixels, self.target / self.names[member]), group, made))
        self.tables[self.recipe.tables(height, width)] += len(group)
        return len(group)


def _ripe(waiting: dict[Shape, int]) -> list[Shape]:
    """The sizes to go on with, of bytes by size: all that are full, else the largest where too much waits."""
    full = [shape for shape, size in waiting.items() if size >= FULL]
    return full or sorted(waiting, key=lambda shape: -waiting[shape])[: sum(waiting.values()) > WAITING]


def corrupt(source: Path, target: Path, recipe: Recipe, seed: int, *, overwrite: bool) -> dict[str, Any]:
    """Corrupt the images under a folder into another; the draw of an image is keyed by its path in the folder.

    Images that are there are left as they are unless ``overwrite``. One that cannot be read is named, the others go on.

    Raises:
        DataError: no images, or two of them with one output. FileExistsError: the target is in the way.
    """
    if not source.is_dir():
        raise DataError(f"no folder {source}")
    job = Job(source, target, recipe, seed, outputs(find(source)))
    if not job.names:
        raise DataError(f"no images in {source}")
    _prepare(job)
    missing = [member for member, name in job.names.items() if overwrite or not (target / name).exists()]
    with counting(len(missing)) as done:
        job.run(missing, done)
    failures = dict(sorted(job.failures.items()))
    found, there, failed = len(job.names), len(job.names) - len(missing), len(failures)
    counts = {"found": found, "there": there, "written": found - there - failed, "failed": failed}
    return {**job.label(), "tables": dict(job.tables), "images": counts, "failures": failures, "out": str(target)}


def _prepare(job: Job) -> None:
    """Make the target and label it, or refuse one that lies in the source or holds other images."""
    inner, outer = job.target.resolve(), job.source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise FileExistsError(f"{job.target} and {job.source} must not lie in one another")
    label, file = job.label(), job.target / LABEL
    if file.exists():
        held = json.loads(file.read_text(encoding="utf-8"))
        differing = ", ".join(f"{k} {held.get(k)!r} instead of {v!r}" for k, v in label.items() if held.get(k) != v)
        if differing:
            raise FileExistsError(f"{job.target} holds images of {differing}; give another folder")
        return
    if next(find(job.target), None):
        raise FileExistsError(f"{job.target} holds images that are not from this command; give another folder")
    job.target.mkdir(parents=True, exist_ok=True)
    write_whole(file, lambda draft: draft.write_text(json.dumps(label, indent=1) + "\n", encoding="utf-8"))


def text(found: dict[str, Any]) -> str:
    """What was done, in one line."""
    n, tables = found["images"], ", ".join(f"{count} by table {name}" for name, count in found["tables"].items())
    what = f"{found['corruption']}, severity {found['severity']}, seed {found['seed']}"
    written = f"{n['written']} written" + (f" ({tables})" if tables else "")
    failed = f", {n['failed']} failed" if n["failed"] else ""
    return f"{found['out']}: {what}: {written}, {n['there']} were there{failed}"


@contextmanager
def counting(total: int, console: Console | None = None) -> Generator[Callable[[int], None]]:
    """Progress over so many images on standard error: a bar on a terminal, a line for each tenth elsewhere."""
    console = console or Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        with Progress(BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("", total=total)
            yield lambda n: bar.advance(task, n)
        return
    began, done = time.monotonic(), 0

    def count(n: int) -> None:
        nonlocal done
        before, done = done, done + n
        if 10 * done // total > 10 * before // total:
            left = (time.monotonic() - began) * (total - done) / done
            console.print(f"[{done / total:4.0%}, {left:.0f} s left] {done:,} images", markup=False, highlight=False)

    yield count
