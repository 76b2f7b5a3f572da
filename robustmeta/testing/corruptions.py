"""Checks of a corruption."""

import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from robustmeta.core import to_float
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Keys, Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.testing.draws import Spy, global_state
from robustmeta.testing.finding import Finding, Wrong, examine

SAMPLES = 4
TIMED = {32: 64, 64: 16, 224: 2}
"""Side in pixels -> images that the speed is measured on; about equally many pixels each."""


def check_corruption(corruption: Corruption, images: UInt8[Tensor, "N C H W"] | None = None) -> list[Finding]:
    """Check what every corruption must keep to, at all its levels, on given images or on made ones.

    These are gray and RGB, square and not, several and one. If it does not run at all, that is the only finding.
    """
    made = (ink(SAMPLES), scenes(SAMPLES), scenes(SAMPLES, 28)[:, :1], scenes(1, 48)[:, :, :36])
    timed = tuple(scenes(count, size) for size, count in TIMED.items())
    trial = Trial(corruption, made, timed) if images is None else Trial(corruption, (images,), (images,))
    return examine(trial, CHECKS)


@dataclass(frozen=True, eq=False)
class Trial:
    """A corruption, the sets of images to try it on, and those to measure its speed on; what it makes is kept."""

    corruption: Corruption
    sets: tuple[Tensor, ...]
    timed: tuple[Tensor, ...] = ()
    kept: dict[tuple[str, int, int], Tensor] = field(default_factory=dict)

    def each(self) -> Iterator[tuple[str, object, Tensor, Tensor]]:
        """Every level (with a name for messages) on every set of images, and the images that it makes of them."""
        for table, levels in self.corruption.tables.items():
            for severity, level in enumerate(levels, 1):
                for place, images in enumerate(self.sets):
                    name = (table, severity, place)
                    if name not in self.kept:
                        self.kept[name] = self.run(images, level)
                    size = "x".join(map(str, images.shape[1:]))
                    yield f"table {table}, severity {severity}, images of {size}", level, images, self.kept[name]

    def run(self, images: Tensor, level: object, keys: Keys | None = None, chunk: int = 256) -> Tensor:
        """Corrupt images under keys 0, 1, 2, ... or the given ones."""
        return self.corruption(images, level, _rng(images, keys), chunk)

    def raw(self, images: Tensor, level: object) -> Tensor:
        """What the function itself returns."""
        return self.corruption.function(to_float(images), level, _rng(images))


def _rng(images: Tensor, keys: Keys | None = None) -> Rng:
    return Rng(0, ("check",), np.arange(len(images), dtype=np.uint64) if keys is None else keys)


def _runs(trial: Trial) -> str:
    count = sum(1 for _ in trial.each())
    if not count:
        raise Wrong("it has no levels; give it a severity table")
    return f"{count} combinations of level and images"


def _shape_and_type(trial: Trial) -> str:
    for where, level, images, _ in trial.each():
        got = trial.raw(images, level)
        if got.shape != images.shape or got.dtype != torch.float32:
            want = f"torch.float32 {tuple(images.shape)}"
            raise Wrong(f"{where}: expected {want}, got {got.dtype} {tuple(got.shape)}")
    return "float32, shape kept"


def _range(trial: Trial) -> str:
    low, high = 1.0, 0.0
    for where, level, images, _ in trial.each():
        got = trial.raw(images, level)
        low, high = min(low, float(got.min())), max(high, float(got.max()))
        if low < 0 or high > 1:
            raise Wrong(f"{where}: expected values in [0, 1], got [{low:.4g}, {high:.4g}]; clamp them")
    return f"[{low:.3g}, {high:.3g}]"


def _same_key(trial: Trial) -> str:
    for where, level, images, made in trial.each():
        if not torch.equal(made, trial.run(images, level)):
            raise Wrong(f"{where}: two calls with the same keys differ; draw from rng alone")
    return "same keys, same images"


def _batching(trial: Trial) -> str:
    for where, level, images, made in trial.each():
        keys = np.arange(len(images), dtype=np.uint64)
        if not torch.equal(made, trial.run(images, level, chunk=1)):
            raise Wrong(f"{where}: an image alone differs from the same image in a batch")
        if not torch.equal(made.flip(0), trial.run(images.flip(0), level, keys[::-1].copy())):
            raise Wrong(f"{where}: reversing the batch changes images; row i may depend on image i and key i alone")
    return "same images alone, in a batch, in reverse"


def _shared_draws(trial: Trial) -> str:
    """Streams of the levels must be nested: a level may draw more than another, but not from elsewhere."""
    images = trial.sets[0]
    for table, levels in trial.corruption.tables.items():
        streams: list[set[tuple[object, ...]]] = []
        for level in levels:
            spy = Spy(np.arange(len(images), dtype=np.uint64))
            trial.corruption.function(to_float(images), level, spy)
            streams.append(spy.seen)
        for a, b in pairwise(streams):
            if not (a <= b or b <= a):
                raise Wrong(f"table {table}: severities draw from different streams; keep the level out of rng.child")
    return "the severities share their draws"


def _untouched(trial: Trial) -> str:
    before = global_state()
    for where, level, images, _ in trial.each():
        x = to_float(images)
        kept = x.clone()
        trial.corruption.function(x, level, _rng(images))
        if not torch.equal(x, kept):
            raise Wrong(f"{where}: it writes into its input; work on x.clone()")
        if global_state() != before:
            raise Wrong(f"{where}: it draws from a global generator (torch, numpy or random); draw from rng")
    return "input and global generators"


def _pickle(trial: Trial) -> str:
    again = Trial(pickle.loads(pickle.dumps(trial.corruption)), trial.sets)
    for where, level, images, made in trial.each():
        if not torch.equal(made, again.run(images, level)):
            raise Wrong(f"{where}: its pickled copy gives other images")
    return "can be sent to another process"


def _grows(trial: Trial) -> str:
    distances: dict[str, list[list[float]]] = {t: [[] for _ in v] for t, v in trial.corruption.tables.items()}
    for (table, severity, place), made in trial.kept.items():
        clean = to_float(trial.sets[place])
        distances[table][severity - 1].append(float((to_float(made) - clean).abs().mean()))
    found: list[str] = []
    for table, levels in distances.items():
        means = [float(np.mean(level)) for level in levels]
        text = ", ".join(f"{m:.4f}" for m in means)
        if trial.corruption.monotone and any(b <= a for a, b in pairwise(means)):
            raise Wrong(f"table {table}: mean |y - x| is {text}; it must grow, or say monotone=False")
        found.append(f"{table}: {text}")
    return f"mean |y - x| is {'; '.join(found)}"


def _speed(trial: Trial) -> str:
    """Images a second by size, over the levels of that size's table."""
    found: list[str] = []
    for images in trial.timed:
        height, width = images.shape[2:]
        _, levels = trial.corruption.table(min(height, width))
        trial.run(images[:1], levels[0])  # what is made once is not counted
        started = time.perf_counter()
        for level in levels:
            trial.run(images, level)
        rate = len(levels) * len(images) / (time.perf_counter() - started)
        found.append(f"{height}x{width}: {rate:,.0f}")
    return f"images a second: {', '.join(found)}"


CHECKS: Mapping[str, Callable[[Trial], str]] = {
    "runs": _runs,
    "shape and type": _shape_and_type,
    "range": _range,
    "same key": _same_key,
    "batch size and order": _batching,
    "shared draws": _shared_draws,
    "nothing else touched": _untouched,
    "pickle": _pickle,
    "grows with severity": _grows,
    "speed": _speed,
}
"""Every check by name; each returns what it measured or raises."""
