"""Findings to tables of cells: what is printed where, which cell is best, which note concerns it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from robustmeta.metrics.scores import Metric
from robustmeta.registry import resolve
from robustmeta.report.findings import ACCURACY, CLEAN, EPS, NOTHING, SEVERITY, Findings, Number, Point, Scored, average
from robustmeta.report.text import FAILED, Style, style

K = TypeVar("K")
HEADS = {CLEAN: "clean", SEVERITY: "corrupted, mean", EPS: "attacked, mean"}
WORST = "worst"
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


def higher(metric: str) -> bool:
    """Whether more of a metric is better."""
    found: Metric = resolve("metrics", metric)
    return found.higher


def best(scores: Mapping[str, Number], *, more: bool = True) -> frozenset[str]:
    """Whose mean is best, and whose interval overlaps that one's; nobody where there is nobody to beat."""
    there = {name: s for name, s in scores.items() if s.there}
    if len(there) < 2:
        return frozenset()
    top = (max if more else min)(there.values(), key=lambda s: s.mean)
    return frozenset(name for name, s in there.items() if s.overlaps(top))


def cell(scored: Scored, look: Style, *, first: bool, marks: tuple[int, ...] = (), where: str = "") -> Cell:
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
    )


def overview(found: Findings, kind: str, learners: Sequence[str]) -> Table:
    """Learner x target: clean, corrupted, attacked and worst accuracy of learners of one kind."""
    axes = [a for a in HEADS if any(p.axis == a for p in found.points)]
    notes = Notes()
    parts = [_overview_column(found, axis, learners, notes) for axis in axes]
    parts += [_overview_column(found, WORST, learners, notes)] if len(axes) > 1 else []
    groups = [
        Group(
            t, tuple(Row(n, "" if n in found.meta else "baseline", tuple(c[t, n] for _, c in parts)) for n in learners)
        )
        for t in found.targets
    ]
    caption = f"Accuracy in %, {kind} learners"
    return Table(caption, "learner", tuple(head for head, _ in parts), tuple(groups), tuple(notes.texts))


def _overview_column(
    found: Findings, axis: str, learners: Sequence[str], notes: Notes
) -> tuple[Column, dict[tuple[str, str], Cell]]:
    """One condition for every target and learner; the worst point has a place and no gain."""
    keys = [(t, n) for t in found.targets for n in learners]
    worst = {(t, n): p for t, n in keys if axis == WORST and (p := found.worst(n, t))}
    points = {(t, n): (worst[t, n],) if axis == WORST else found.of(n, t, axis=axis) for t, n in keys}
    shared, own = notes.split(points)
    cells: dict[tuple[str, str], Cell] = {}
    for t in found.targets:
        scores = {
            n: Scored(worst[t, n].scored.score, NOTHING) if axis == WORST else found.over(n, t, axis) for n in learners
        }
        top = best({n: s.score for n, s in scores.items()})
        for n, s in scores.items():
            where = worst[t, n].where if axis == WORST else ""
            cells[t, n] = cell(s, style(ACCURACY), first=n in top, marks=own[t, n], where=where)
    return Column({**HEADS, WORST: WORST}[axis], shared), cells


def by_shift(found: Findings, target: str, kind: str, learners: Sequence[str], metric: str, *, every: bool) -> Table:
    """Shift x learner on one target: each point (``every``), or the mean of each corruption and each point of an attack."""
    notes = Notes()
    first = learners[0]
    shape = found.of(first, target, metric)
    points = {n: {(p.shift, p.step): p for p in found.of(n, target, metric)} for n in learners}
    heads: dict[str, list[Row]] = {"": [], "corruptions": [], "attacks": []}
    places = {CLEAN: "", SEVERITY: "corruptions", EPS: "attacks"}
    for shift in dict.fromkeys(p.shift for p in shape):
        keys = [(p.shift, p.step) for p in shape if p.shift == shift]
        axis = points[first][keys[0]].axis
        sets = [keys] if axis == SEVERITY and not every else [[key] for key in keys]
        heads[places[axis]] += [_row([{n: points[n][k] for n in learners} for k in s], metric, notes) for s in sets]
    for axis in (SEVERITY, EPS):
        rows = heads[places[axis]]
        if not every and len(rows) > 1:
            means = {n: found.over(n, target, axis, metric) for n in learners}
            shared, own = notes.split({n: found.of(n, target, metric, axis) for n in learners})
            rows.insert(0, Row("mean", f"all {places[axis]}", _cells(means, metric, own), shared))
    unit = f" in {style(metric).unit}" if style(metric).unit else ""
    caption = f"{target}: {metric}{unit}, {kind} learners"
    groups = tuple(Group(label, tuple(rows)) for label, rows in heads.items() if rows)
    return Table(caption, "shift", tuple(map(Column, learners)), groups, tuple(notes.texts))


def _row(points: Sequence[Mapping[str, Point]], metric: str, notes: Notes) -> Row:
    """A point of a shift, or the mean over some of its points, for each learner."""
    some = next(iter(points[0].values()))
    learners = list(points[0])
    scores = {n: average([p[n].scored for p in points]) for n in learners}
    marks, own = notes.split({n: [p[n] for p in points] for n in learners})
    strengths = [f"{next(iter(p.values())).strength:g}" for p in points]
    parts = [] if some.axis == CLEAN else [some.axis, ", ".join(strengths)]
    mean = "mean over " if len(points) > 1 else ""
    place = "" if some.place == "query" else f", in {'support and query' if some.place == 'both' else some.place}"
    return Row(some.shift, mean + " ".join(parts) + place, _cells(scores, metric, own), marks)


def _cells(scores: Mapping[str, Scored], metric: str, marks: Mapping[str, tuple[int, ...]]) -> tuple[Cell, ...]:
    """Printed scores, the best marked; gains for accuracy alone."""
    more = higher(metric)
    top = best({n: s.score for n, s in scores.items()}, more=more)
    shown = scores if metric == ACCURACY else {n: Scored(s.score, NOTHING) for n, s in scores.items()}
    return tuple(cell(s, style(metric), first=n in top, marks=marks[n]) for n, s in shown.items())
