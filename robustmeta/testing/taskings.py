"""Checks of a tasking."""

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from robustmeta.core import Card, Domain, Episodes, TaskShape, sample
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import Tasking
from robustmeta.testing.draws import global_state
from robustmeta.testing.finding import Finding, Wrong, examine

SHAPES = (TaskShape(5, 5, 3), TaskShape(5, 1, 2), TaskShape(2, 4, 1), TaskShape(10, 20, 1))
TASKS, CLASSES, IMAGES = 6, 12, 24
SEEDS = 20


def check_tasking(tasking: Tasking) -> list[Finding]:
    """Check what every tasking must keep to, at all its levels, on tasks of several shapes.

    If it does not run at all, that is the only finding.
    """
    return examine(Trial(tasking, tuple(tasks(shape) for shape in SHAPES)), CHECKS)


def tasks(shape: TaskShape, seed: int = 0) -> Episodes:
    """A few tasks of a made domain, with numbers that do not begin at 0."""
    labels = torch.arange(CLASSES).repeat_interleave(IMAGES)
    ids = np.arange(len(labels), dtype=np.uint64) * np.uint64(7919)
    pixels = torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8)
    names = tuple(f"class {i}" for i in range(CLASSES))
    domain = Domain("made", pixels, labels, names, ids, {}, Card("made", "made for checks", "none"))
    return sample(domain, shape, seed, 3, 3 + TASKS)


@dataclass(frozen=True, eq=False)
class Trial:
    """A tasking and the sets of tasks to try it on."""

    tasking: Tasking
    sets: tuple[Episodes, ...]

    def each(self) -> Iterator[tuple[str, object, Episodes]]:
        """Every level (with a name for messages) on every set."""
        for severity, level in enumerate(self.tasking.levels, 1):
            for e in self.sets:
                yield f"severity {severity}, {e.way}-way {e.shape.shot}-shot", level, e

    def run(self, episodes: Episodes, level: object, seed: int = 0) -> Episodes:
        """Its result, checked as a study checks it."""
        return self.tasking(episodes, level, _rng(episodes, seed))


def _rng(episodes: Episodes, seed: int = 0) -> Rng:
    return Rng(seed, ("check",), episodes.number)


def _runs(trial: Trial) -> str:
    count = 0
    for count, (_, level, e) in enumerate(trial.each(), 1):  # noqa: B007
        trial.run(e, level)
    if not count:
        raise Wrong("it has no levels; give it up to five")
    return f"{count} combinations of level and tasks: supports are rectangular, in range and of the old images"


def _query(trial: Trial) -> str:
    for where, level, e in trial.each():
        got = trial.tasking.function(e, level, _rng(e))
        for name in ("number", "query", "query_y", "way"):
            if getattr(got, name) is not getattr(e, name):
                raise Wrong(f"{where}: it replaces {name}; use dataclasses.replace with support and support_y alone")
    return "the same objects"


def _same_key(trial: Trial) -> str:
    for where, level, e in trial.each():
        if not _equal(trial.run(e, level), trial.run(e, level)):
            raise Wrong(f"{where}: two calls with the same keys differ; draw from rng alone")
    return "same keys, same tasks"


def _batching(trial: Trial) -> str:
    for where, level, e in trial.each():
        whole = trial.run(e, level)
        for t in range(len(e)):
            if not _equal(whole[t : t + 1], trial.run(e[t : t + 1], level)):
                raise Wrong(f"{where}: a task alone differs from the same task in a batch")
        if not _equal(_taken(whole, slice(None, None, -1)), trial.run(_taken(e, slice(None, None, -1)), level)):
            raise Wrong(f"{where}: reversing the batch changes tasks; task t may depend on its own row and key alone")
    return "same tasks alone, in a batch, in reverse"


def _taken(e: Episodes, order: slice) -> Episodes:
    rows = torch.arange(len(e)).numpy()[order].copy()
    picked = {f.name: getattr(e, f.name)[rows] for f in fields(e) if f.name != "way"}
    return replace(e, **picked)


def _equal(a: Episodes, b: Episodes) -> bool:
    return torch.equal(a.support, b.support) and torch.equal(a.support_y, b.support_y)


def _nested(trial: Trial) -> str:
    if not trial.tasking.nested:
        return "not claimed"
    for e in trial.sets:
        marks = [_labels(e, trial.run(e, level)) for level in trial.tasking.levels]
        for severity, (mild, strong) in enumerate(pairwise(marks), 2):
            where = f"severity {severity}, {e.way}-way {e.shape.shot}-shot"
            if ((mild < 0) & (strong >= 0)).any():
                raise Wrong(f"{where}: it keeps an image that the level before leaves out; or say nested=False")
            changed = (mild >= 0) & (mild != e.support_y) & (strong >= 0)
            if (changed & (strong != mild)).any():
                raise Wrong(f"{where}: a label that the level before changes is another here; or say nested=False")
    return "a stronger level adds to a milder one"


def _labels(before: Episodes, after: Episodes) -> Tensor:
    """The label that each image of the old support has now, -1 where it is left out: (T, S)."""
    same = before.support[:, :, None] == after.support[:, None, :]
    label = (same * (after.support_y[:, None, :] + 1)).amax(-1)
    return label - 1


def _grows(trial: Trial) -> str:
    shares = [_share(trial, level) for level in trial.tasking.levels]
    text = ", ".join(f"{s:.3f}" for s in shares)
    falls, flat = any(b < a for a, b in pairwise(shares)), len(shares) > 1 and shares[-1] <= shares[0]
    if shares[0] <= 0 or falls or flat:
        raise Wrong(f"the share of images left out or relabelled is {text}; it must grow with the level")
    return f"share of images left out or relabelled: {text}"


def _share(trial: Trial, level: object) -> float:
    """The mean share of the supports that is not as it was, over sets and some seeds."""
    parts = [
        (_labels(e, trial.run(e, level, seed)) != e.support_y).double().mean()
        for e in trial.sets
        for seed in range(SEEDS)
    ]
    return float(torch.stack(parts).mean())


def _untouched(trial: Trial) -> str:
    before = global_state()
    for where, level, e in trial.each():
        kept = (e.support.clone(), e.support_y.clone(), e.query.clone(), e.query_y.clone(), e.number.copy())
        trial.tasking.function(e, level, _rng(e))
        now = (e.support, e.support_y, e.query, e.query_y, e.number)
        if any(not np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(kept, now, strict=True)):
            raise Wrong(f"{where}: it writes into its input; make new tensors")
        if global_state() != before:
            raise Wrong(f"{where}: it draws from a global generator (torch, numpy or random); draw from rng")
    return "input and global generators"


def _pickle(trial: Trial) -> str:
    again = Trial(pickle.loads(pickle.dumps(trial.tasking)), trial.sets)
    for where, level, e in trial.each():
        if not _equal(trial.run(e, level), again.run(e, level)):
            raise Wrong(f"{where}: its pickled copy gives other tasks")
    return "can be sent to another process"


CHECKS: Mapping[str, Callable[[Trial], str]] = {
    "runs": _runs,
    "query untouched": _query,
    "same key": _same_key,
    "batch size and order": _batching,
    "nested levels": _nested,
    "grows with severity": _grows,
    "nothing else touched": _untouched,
    "pickle": _pickle,
}
"""Every check by name; each returns what it measured or raises."""
