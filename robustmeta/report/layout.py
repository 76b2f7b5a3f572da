"""Findings to tables: learner x target in short, shift x learner on each target in full."""

from collections.abc import Mapping, Sequence

from robustmeta.metrics.scores import Metric
from robustmeta.registry import resolve
from robustmeta.report.findings import (
    ACCURACY,
    CLEAN,
    EPS,
    NOTHING,
    SEVERITY,
    STEPS,
    TASKS,
    TRANSFER,
    Findings,
    Point,
    Scored,
    average,
)
from robustmeta.report.flags import Box, box
from robustmeta.report.grid import Cell, Column, Group, Notes, Row, Table, best, cell
from robustmeta.report.text import style
from robustmeta.shifts.shift import DRAWS, ENSEMBLE, POISON

HEADS = {
    CLEAN: "clean",
    SEVERITY: "corrupted",
    TASKS: "dirty support",
    EPS: "attacked",
    POISON: "support attacked",
    DRAWS: "worst support draw",
    ENSEMBLE: "under all attacks",
}
FAMILIES = {
    CLEAN: "",
    SEVERITY: "corruptions",
    TASKS: "dirty supports",
    EPS: "attacks",
    POISON: "support attacks",
    DRAWS: "support draws",
    TRANSFER: "attacks made through one of the learners",
    STEPS: "attacks of fewer steps",
    ENSEMBLE: "right under all attacks of one norm and eps",
}
WORST = "worst"


def overview(found: Findings, kind: str, learners: Sequence[str]) -> Table:
    """Learner x target: accuracy of learners of one kind under each condition, and the worst."""
    conditions = [c for c in HEADS if any(p.condition == c for p in found.points)]
    notes = Notes()
    parts = [_condition(found, condition, learners, notes) for condition in conditions]
    parts += [_worst(found, learners, notes)] if len(conditions) > 1 else []
    roles = {n: "" if n in found.meta else "baseline" for n in learners}
    groups = [
        Group(t, tuple(Row(n, roles[n], tuple(cells[t, n] for _, cells in parts)) for n in found.at(t) if n in roles))
        for t in found.targets
    ]
    columns = tuple(column for column, _ in parts)
    return Table(f"Accuracy in %, {kind} learners", "learner", columns, tuple(groups), tuple(notes.texts))


def _there(found: Findings, target: str, learners: Sequence[str]) -> list[str]:
    return [n for n in found.at(target) if n in learners]


Cells = dict[tuple[str, str], Cell]


def _condition(found: Findings, condition: str, learners: Sequence[str], notes: Notes) -> tuple[Column, Cells]:
    """The average under a condition, for every target and learner."""
    shared, own = notes.split(
        {(t, n): found.of(n, t, condition=condition) for t in found.targets for n in _there(found, t, learners)}
    )
    cells: Cells = {}
    for t in found.targets:
        scores = {n: found.over(n, t, condition) for n in _there(found, t, learners)}
        top = best({n: s.score for n, s in scores.items()})
        boxes = {n: box(found.of(n, t, condition=condition)) for n in scores}
        cells |= {
            (t, n): cell(s, style(ACCURACY), first=n in top, marks=own[t, n], box=boxes[n]) for n, s in scores.items()
        }
    return Column(HEADS[condition], shared), cells


def _worst(found: Findings, learners: Sequence[str], notes: Notes) -> tuple[Column, Cells]:
    """The lowest point of every target and learner and where it lies, which may be elsewhere for each: no gain."""
    points = {(t, n): found.worst(n, t) for t in found.targets for n in _there(found, t, learners)}
    shared, own = notes.split({key: [p] for key, p in points.items()})
    cells: Cells = {}
    for t in found.targets:
        there = _there(found, t, learners)
        top = best({n: points[t, n].scored.score for n in there})
        for n in there:
            p = points[t, n]
            bare = Scored(p.scored.score, NOTHING)
            cells[t, n] = cell(bare, style(ACCURACY), first=n in top, marks=own[t, n], where=p.where, box=box([p]))
    return Column(WORST, shared), cells


def by_shift(found: Findings, target: str, kind: str, learners: Sequence[str], metric: str, *, every: bool) -> Table:
    """Shift x learner on one target: each point (``every``), or each of an attack and the means of the others."""
    notes = Notes()
    lines = {n: found.of(n, target, metric) for n in learners}
    across = [dict(zip(lines, points, strict=True)) for points in zip(*lines.values(), strict=True)]
    groups: list[Group] = []
    for condition, label in FAMILIES.items():
        points = [p for p in across if p[learners[0]].condition == condition]
        sets = [[p] for p in points] if every or condition not in (SEVERITY, TASKS) else _by_label(points)
        rows = [_row(s, metric, notes) for s in sets]
        if not every and condition in HEADS and label and len(rows) > 1:
            rows.insert(0, _mean_row(found, target, condition, learners, metric, notes))
        groups += [Group(label, tuple(rows))] if rows else []
    unit = f" in {style(metric).unit}" if style(metric).unit else ""
    caption = f"{target}: {metric}{unit}, {kind} learners"
    return Table(caption, "shift", tuple(map(Column, learners)), tuple(groups), tuple(notes.texts))


Across = Mapping[str, Point]


def _by_label(points: Sequence[Across]) -> list[list[Across]]:
    shifts: dict[str, list[Across]] = {}
    for p in points:
        shifts.setdefault(next(iter(p.values())).shift, []).append(p)
    return list(shifts.values())


def _row(points: Sequence[Across], metric: str, notes: Notes) -> Row:
    """A point of a shift, or the mean over some of its points, for each learner."""
    some = next(iter(points[0].values()))
    scores = {n: average([p[n].scored for p in points]) for n in points[0]}
    shared, own = notes.split({n: [p[n] for p in points] for n in points[0]})
    values = ", ".join(f"{next(iter(p.values())).strength:g}" for p in points)
    strength = "" if some.axis == CLEAN else f"{some.axis} {values}"
    mean = "mean over " if len(points) > 1 else ""
    place = {"query": "", "support": ", in the support", "both": ", in support and query"}[some.place]
    boxes = {n: box(p[n] for p in points) for n in points[0]}
    return Row(some.shift, mean + strength + place, _cells(scores, metric, own, boxes), shared)


def _mean_row(found: Findings, target: str, condition: str, learners: Sequence[str], metric: str, notes: Notes) -> Row:
    shared, own = notes.split({n: found.of(n, target, metric, condition) for n in learners})
    means = {n: found.over(n, target, condition, metric) for n in learners}
    boxes = {n: box(found.of(n, target, metric, condition)) for n in learners}
    return Row(
        "mean",
        "all eps" if condition == ENSEMBLE else f"all {FAMILIES[condition]}",
        _cells(means, metric, own, boxes),
        shared,
    )


def _cells(
    scores: Mapping[str, Scored], metric: str, marks: Mapping[str, tuple[int, ...]], boxes: Mapping[str, Box | None]
) -> tuple[Cell, ...]:
    """Printed scores, the best marked; gains and honesty flags for accuracy alone."""
    top = best({n: s.score for n, s in scores.items()}, more=higher(metric))
    shown = scores if metric == ACCURACY else {n: Scored(s.score, NOTHING) for n, s in scores.items()}
    flagged = boxes if metric == ACCURACY else dict.fromkeys(boxes)
    return tuple(cell(s, style(metric), first=n in top, marks=marks[n], box=flagged[n]) for n, s in shown.items())


def higher(metric: str) -> bool:
    """Whether more of a metric is better."""
    found = resolve("metrics", metric)
    if not isinstance(found, Metric):
        raise TypeError(f"{metric} is a {type(found).__name__}, not a metric")
    return found.higher
