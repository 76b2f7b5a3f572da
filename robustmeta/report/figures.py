"""Which curves the report draws: accuracy over strength for each target and shift, and training over images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from robustmeta.report.curves import Curve, Frame, panel
from robustmeta.report.findings import CLEAN, STEPS, Findings, Point
from robustmeta.report.flags import warning
from robustmeta.report.rows import Rows, grouped
from robustmeta.report.text import PERCENT, enumerated


@dataclass(frozen=True)
class Panel:
    """A drawing with its title, the same in words for who cannot see it, and what is missing from it."""

    title: str
    svg: str
    words: str
    missing: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Strip:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


Series = Mapping[str, Mapping[str, int]]
"""Entry -> shift -> number of steps, of attacks that are measured with several."""


def shift_curves(
    found: Findings, colours: Mapping[str, str], chances: Mapping[str, float], steps: Series | None = None
) -> tuple[Strip, ...]:
    """A panel for each target and shift, and for each eps of an attack over its steps; every curve starts at clean."""
    steps = steps or {}
    strips: list[Strip] = []
    if not any(p.scored.score.there for p in found.points):
        return ()
    for i, target in enumerate(found.targets):
        every, chance = [p for n in found.at(target) for p in found.of(n, target)], chances[target]
        lows = [p.scored.score.low for p in every if p.scored.score.there]
        bottom = 10 * math.floor(10 * max(0.0, min([*lows, chance])))
        shifts = dict.fromkeys(p.shift for p in every if p.axis != CLEAN and p.condition != STEPS)
        panels = [
            _panel(found, target, shift, _lines(found, target, shift), colours, (bottom, 100), chance, f"c{i}-{j}")
            for j, shift in enumerate(shifts)
        ]
        series = {(entry, p.step): p.strength for entry, of in steps.items() for p in every if p.shift in of}
        for j, ((entry, step), eps) in enumerate(series.items()):
            lines, title = _over_steps(found, target, steps[entry], step), f"{entry} eps {eps:g}, by steps"
            panels.append(_panel(found, target, title, lines, colours, (bottom, 100), chance, f"s{i}-{j}"))
        strips.append(Strip(target, tuple(panels)))
    return tuple(s for s in strips if s.panels)


Lines = Mapping[str, Sequence[Point]]
"""Learner -> the points of its curve, clean first."""


def _lines(found: Findings, target: str, shift: str) -> Lines:
    """The curves of a shift over its strength."""
    lines = {n: [p for p in found.of(n, target) if p.axis == CLEAN or p.shift == shift] for n in found.at(target)}
    return {n: sorted(line, key=lambda p: p.step) for n, line in lines.items()}


def _over_steps(found: Findings, target: str, curves: Mapping[str, int], step: int) -> Lines:
    """The curves of an attack over its number of steps, at one eps."""
    lines: dict[str, list[Point]] = {}
    for n in found.at(target):
        every = found.of(n, target)
        attacked = [p for p in every if p.shift in curves and p.step == step]
        placed = [replace(p, axis=STEPS, step=curves[p.shift], strength=curves[p.shift]) for p in attacked]
        lines[n] = [*(p for p in every if p.axis == CLEAN), *placed]
    return lines


def _panel(
    found: Findings,
    target: str,
    shift: str,
    lines: Lines,
    colours: Mapping[str, str],
    y_range: tuple[float, float],
    chance: float,
    name: str,
) -> Panel:
    curves = [_curve(line, colours[n], dashed=n in found.transductive) for n, line in lines.items()]
    some = next(iter(lines.values()))
    frame = Frame(some[-1].axis, "accuracy, %", y_range, _ticks(some), 100 * chance)
    gaps = {n: [_strength(p) for p in line if not p.scored.score.there] for n, line in lines.items()}
    missing = [f"{n} at {enumerated(steps)}" for n, steps in gaps.items() if steps]
    words = "; ".join(f"{n}: {', '.join(PERCENT.value(p.scored.score) for p in line)}" for n, line in lines.items())
    at = ", ".join(_strength(p) for p in some)
    shifted = [p for line in lines.values() for p in line if p.axis != CLEAN]
    return Panel(
        title=shift,
        svg=panel(curves, frame, name),
        words=f"Accuracy in % on {target} under {shift} at {some[-1].axis} {at}. {words}.",
        missing=f"failed: {'; '.join(missing)}" if missing else "",
        remarks=tuple(dict.fromkeys([*(t for p in shifted for t in p.notes), *warning(shifted)])),
    )


def _strength(p: Point) -> str:
    return "0 (clean)" if p.axis == CLEAN else f"{p.strength:g}"


def _ticks(points: Sequence[Point]) -> tuple[tuple[float, str], ...]:
    """The steps that were measured; where two stand too close for their texts, the second goes without."""
    width = max(p.step for p in points)
    ticks: list[tuple[float, str]] = []
    for p in points:
        text = f"{p.strength:g}"
        if not ticks or (p.step - ticks[-1][0]) / width > 0.05 * len(text):
            ticks.append((p.step, text))
    return tuple(ticks)


def _curve(points: Sequence[Point], colour: str, *, dashed: bool) -> Curve:
    scores = [p.scored.score for p in points]
    y, low, high = (tuple(100 * getattr(s, k) for s in scores) for k in ("mean", "low", "high"))
    return Curve(colour, tuple(p.step for p in points), y, low, high, dashed=dashed)


def training_curves(
    table: pd.DataFrame, colours: Mapping[str, str], checked_on: str = "source validation"
) -> tuple[Panel, ...]:
    """Accuracy on what checkpoints are selected by for all learners together, and the loss of each; a line a seed."""
    runs = grouped(table, "learner", "seed")
    names = list(dict.fromkeys(learner for learner, _ in runs))
    checked = {key: [row for row in rows if not math.isnan(row["val_accuracy"])] for key, rows in runs.items()}
    lines = [_history(rows, "val_accuracy", 100, colours[key[0]]) for key, rows in checked.items() if rows]
    words = f"Accuracy on {checked_on} over images drawn, for {enumerated(names)}."
    out = [_history_panel(checked_on, lines, "accuracy, %", words, "validation")] if lines else []
    for i, name in enumerate(names):
        own = [rows for key, rows in runs.items() if key[0] == name]
        lines = [_history(rows, "loss", 1, colours[name]) for rows in own]
        words = f"Training loss of {name}, from {own[0][0]['loss']:.3g} to {own[0][-1]['loss']:.3g}."
        out.append(_history_panel(f"loss of {name}", lines, "training loss", words, f"loss-{i}"))
    return tuple(out)


def _history(rows: Rows, column: str, factor: float, colour: str) -> Curve:
    return Curve(colour, tuple(row["images"] for row in rows), tuple(factor * row[column] for row in rows))


def _history_panel(title: str, lines: Sequence[Curve], label: str, words: str, name: str) -> Panel:
    top = max(x for line in lines for x in line.x)
    unit, text = (1000, "k") if top >= 10_000 else (1, "")
    ticks = tuple((share * top / 4, f"{share * top / 4 / unit:.4g}{text}") for share in range(5))
    return Panel(title, panel(lines, Frame("images drawn", label, ticks=ticks), name), words)
