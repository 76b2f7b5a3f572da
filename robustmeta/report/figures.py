"""Which curves the report draws: accuracy over strength for each target and shift, and training over images."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from robustmeta.report.curves import Curve, Frame, panel
from robustmeta.report.findings import CLEAN, Findings, Point
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


def shift_curves(found: Findings, colours: Mapping[str, str], chance: float) -> tuple[Strip, ...]:
    """A panel for each target and shift; every curve starts from clean."""
    strips: list[Strip] = []
    if not any(p.scored.score.there for p in found.points):
        return ()
    for i, target in enumerate(found.targets):
        every = [p for n in found.learners for p in found.of(n, target)]
        lows = [p.scored.score.low for p in every if p.scored.score.there]
        bottom = 10 * math.floor(10 * max(0.0, min([*lows, chance])))
        shifts = dict.fromkeys(p.shift for p in every if p.axis != CLEAN)
        panels = [
            _panel(found, target, shift, colours, (bottom, 100), chance, f"c{i}-{j}") for j, shift in enumerate(shifts)
        ]
        strips.append(Strip(target, tuple(panels)))
    return tuple(s for s in strips if s.panels)


def _panel(
    found: Findings,
    target: str,
    shift: str,
    colours: Mapping[str, str],
    y_range: tuple[float, float],
    chance: float,
    name: str,
) -> Panel:
    lines = {n: [p for p in found.of(n, target) if p.axis == CLEAN or p.shift == shift] for n in found.learners}
    for line in lines.values():
        line.sort(key=lambda p: p.step)
    curves = [_curve(line, colours[n], dashed=n in found.transductive) for n, line in lines.items()]
    some = next(iter(lines.values()))
    frame = Frame(some[-1].axis, "accuracy, %", y_range, _ticks(some), 100 * chance)
    gaps = [
        f"{n} at {enumerated([_strength(p) for p in line if not p.scored.score.there])}" for n, line in lines.items()
    ]
    missing = [g for g, line in zip(gaps, lines.values(), strict=True) if not all(p.scored.score.there for p in line)]
    words = "; ".join(f"{n}: {', '.join(PERCENT.value(p.scored.score) for p in line)}" for n, line in lines.items())
    at = ", ".join(_strength(p) for p in some)
    return Panel(
        title=shift,
        svg=panel(curves, frame, name),
        words=f"Accuracy in % on {target} under {shift} at {some[-1].axis} {at}. {words}.",
        missing=f"failed: {'; '.join(missing)}" if missing else "",
        remarks=tuple(dict.fromkeys(t for line in lines.values() for p in line if p.axis != CLEAN for t in p.notes)),
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
    y, low, high = (
        tuple(100 * v for v in column) for column in zip(*((s.mean, s.low, s.high) for s in scores), strict=True)
    )
    return Curve(colour, tuple(p.step for p in points), y, low, high, dashed=dashed)


def training_curves(table: pd.DataFrame, colours: Mapping[str, str]) -> tuple[Panel, ...]:
    """Accuracy on source validation for all learners together, and the loss of each; a line a seed."""
    if len(table) == 0:
        return ()
    checked = table.dropna(subset=["val_accuracy"])
    out: list[Panel] = []
    if len(checked):
        lines = [_history(rows, "val_accuracy", 100, colours[str(key[0])]) for key, rows in _by_seed(checked)]
        frame = Frame("images drawn", "accuracy, %", ticks=_thousands(checked["images"]))
        words = f"Accuracy on source validation over images drawn, for {enumerated(list(dict.fromkeys(checked['learner'])))}."
        out.append(Panel("source validation", panel(lines, frame, "validation"), words))
    for i, (name, rows) in enumerate(table.groupby("learner", sort=False)):
        lines = [_history(part, "loss", 1, colours[str(name)]) for _, part in _by_seed(rows)]
        svg = panel(lines, Frame("images drawn", "training loss", ticks=_thousands(rows["images"])), f"loss-{i}")
        first, last = rows["loss"].iloc[0], rows["loss"].iloc[-1]
        out.append(Panel(f"loss of {name}", svg, f"Training loss of {name}, from {first:.3g} to {last:.3g}."))
    return tuple(out)


def _by_seed(table: pd.DataFrame) -> Iterable[tuple[tuple[object, object], pd.DataFrame]]:
    return table.groupby(["learner", "seed"], sort=False)


def _history(rows: pd.DataFrame, column: str, factor: float, colour: str) -> Curve:
    return Curve(colour, tuple(map(float, rows["images"])), tuple(factor * float(v) for v in rows[column]))


def _thousands(images: "pd.Series[int]") -> tuple[tuple[float, str], ...]:
    top = int(images.max())
    unit, text = (1000, "k") if top >= 10_000 else (1, "")
    return tuple((share * top / 4, f"{share * top / 4 / unit:.3g}{text}") for share in range(5))
