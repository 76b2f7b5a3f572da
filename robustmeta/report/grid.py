"""Tables of printed numbers: cells, which of them are best, which note concerns which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from robustmeta.report.findings import Number, Point, Scored
from robustmeta.report.flags import Box
from robustmeta.report.text import FAILED, Style

K = TypeVar("K")
BETTER, WORSE, SAME = "better", "worse", "same"
BEST_RULE = "the best mean among the learners compared, and every mean whose 95% interval overlaps its interval"


@dataclass(frozen=True)
class Cell:
    """A number as it is printed, and its gain over the baseline."""

    mean: str
    interval: str = ""
    gain: str = ""
    gain_interval: str = ""
    verdict: str = ""
    where: str = ""
    best: bool = False
    marks: tuple[int, ...] = ()
    box: Box | None = None

    @property
    def failed(self) -> bool:
        """Whether there is no result."""
        return self.mean == FAILED


@dataclass(frozen=True)
class Row:
    """A line of a table. ``detail`` is a smaller second part of its label; ``marks`` point to notes."""

    label: str
    detail: str
    cells: tuple[Cell, ...]
    marks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Group:
    """Lines under one heading, "" for none."""

    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Column:
    """A head of a table; ``marks`` point to notes."""

    label: str
    marks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table with its caption; ``notes[i - 1]`` is what mark i says."""

    caption: str
    corner: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()


@dataclass
class Notes:
    """Notes in the order of their first mention."""

    texts: list[str] = field(default_factory=list[str])

    def marks(self, texts: Iterable[str]) -> tuple[int, ...]:
        """The numbers of some notes, new ones added."""
        texts = list(dict.fromkeys(texts))
        self.texts += [t for t in texts if t not in self.texts]
        return tuple(sorted(self.texts.index(t) + 1 for t in texts))

    def split(self, said: Mapping[K, Iterable[Point]]) -> tuple[tuple[int, ...], dict[K, tuple[int, ...]]]:
        """The marks of what holds for the points of all who have a result, and the marks of the rest for each."""
        texts = {key: dict.fromkeys(t for p in points for t in p.notes) for key, points in said.items()}
        there = [texts[key] for key, points in said.items() if all(p.scored.score.there for p in points)]
        shared = [t for t in there[0] if all(t in other for other in there)] if there else []
        first = self.marks(shared)
        return first, {key: self.marks(t for t in mine if t not in shared) for key, mine in texts.items()}


def best(scores: Mapping[str, Number], *, more: bool = True) -> frozenset[str]:
    """Whose mean is best, and whose interval overlaps that one's; nobody where there is nobody to beat."""
    there = {name: s for name, s in scores.items() if s.there}
    if len(there) < 2:
        return frozenset()
    top = (max if more else min)(there.values(), key=lambda s: s.mean)
    return frozenset(name for name, s in there.items() if s.overlaps(top))


def cell(
    scored: Scored,
    look: Style,
    *,
    first: bool,
    marks: tuple[int, ...] = (),
    where: str = "",
    box: Box | None = None,
) -> Cell:
    """One number, printed."""
    verdict = {1: BETTER, -1: WORSE, 0: SAME}[scored.gain.sign] if scored.gain.there else ""
    return Cell(
        mean=look.value(scored.score),
        interval=look.interval(scored.score),
        gain=look.change(scored.gain),
        gain_interval=look.interval(scored.gain, "+"),
        verdict=verdict,
        where=where,
        best=first,
        marks=marks,
        box=box if scored.score.there else None,
    )
