"""Noise of a task that is not in its pixels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robustmeta.core import CellError, Episodes
from robustmeta.rng import Rng

TaskingFunction = Callable[[Episodes, Any, Rng], Any]


@dataclass(frozen=True, eq=False)
class Tasking:
    """A law that spoils the supports of tasks: ``function(episodes, level, rng) -> episodes``, one key an episode.

    It changes labels or leaves images out; the query is not its business.

    Attributes:
        levels: up to five, mild to strong.
        nested: a stronger level leaves out what a milder one does and changes its labels alike (checked), unless the
            author says it need not.
        version: rises when the numbers change. source: hash of a plug-in's file, "" for ours.
        paper: where the law stands.
    """

    name: str
    function: TaskingFunction
    levels: tuple[object, ...]
    version: int = 1
    nested: bool = True
    paper: str = ""
    source: str = ""
    origin: str = ""
    module: str = ""

    def __call__(self, episodes: Episodes, level: object, rng: Rng) -> Episodes:
        """The episodes with another support (T, S'); the query is the same object, row t depends on ``rng.keys[t]``.

        Raises:
            CellError: the function raised, changed more than the support, or returned one that is empty, not
                rectangular, labelled outside 0..way-1 or of images that the task's support lacks.
        """
        try:
            got = self.function(episodes, level, rng)
        except Exception as error:
            raise CellError(f"tasking {self.name} raised {type(error).__name__}: {error}") from error
        fault = _fault(episodes, got)
        if fault:
            raise CellError(f"tasking {self.name} {fault}")
        return replace(episodes, support=got.support, support_y=got.support_y)


def _fault(before: Episodes, after: object) -> str:
    """What is wrong with the result of a tasking, "" if nothing."""
    if not isinstance(after, Episodes):
        return f"returned {type(after).__name__}; expected Episodes"
    if after.way != before.way or not np.array_equal(after.number, before.number):
        return "changed the numbers or the way of the episodes; change the support alone"
    if not (_same(after.query, before.query) and _same(after.query_y, before.query_y)):
        return "changed the query; change the support alone"
    rows, y = after.support, after.support_y
    if rows.shape != y.shape or rows.ndim != 2 or len(rows) != len(before) or not rows.shape[1]:
        want = f"both of shape ({len(before)}, S) with S > 0"
        return f"returned a support of shape {tuple(rows.shape)} with labels of {tuple(y.shape)}; expected {want}"
    if rows.dtype != torch.int64 or y.dtype != torch.int64:
        return f"returned a support of {rows.dtype} with labels of {y.dtype}; expected torch.int64"
    if y.numel() and not 0 <= int(y.min()) <= int(y.max()) < before.way:
        return f"returned labels in [{int(y.min())}, {int(y.max())}]; expected 0 to {before.way - 1}"
    if not _within(rows, before.support):
        return "returned images that the support of the task did not have"
    return ""


def _same(a: Tensor, b: Tensor) -> bool:
    return a is b or torch.equal(a, b)


def _within(rows: Tensor, allowed: Tensor) -> bool:
    """Whether each row of each task stands in the same task of ``allowed``."""
    if not rows.numel():
        return True
    least = int(torch.minimum(rows.min(), allowed.min()))
    span = int(torch.maximum(rows.max(), allowed.max())) - least + 1
    task = torch.arange(len(rows))[:, None] * span - least
    return bool(torch.isin(rows + task, allowed + task).all())
