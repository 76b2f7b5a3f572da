"""Honesty flags as boxes beside robust accuracies: how many warn, and on demand which, with their values and rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from robustmeta.config.flags import FLAGS, overall
from robustmeta.report.findings import Flagged, Point
from robustmeta.report.text import enumerated

SHOWN = 2
"""Results that are named where a flag warns in several."""


@dataclass(frozen=True)
class Warned:
    """A flag that warns: what that means, the rule, and a line for each of some results; ``more`` are not shown."""

    name: str
    says: str
    rule: str
    found: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Box:
    """What the flags say of a number: those that warn, the names of those that pass, why others did not run."""

    warned: tuple[Warned, ...]
    passed: tuple[str, ...]
    idle: Mapping[str, str]

    @property
    def chip(self) -> str:
        """The box in a word."""
        count = len(self.warned)
        return f"{count or 'no'} flag{'s' * (count > 1)}"

    @property
    def label(self) -> str:
        """The same in a sentence."""
        ran = len(self.warned) + len(self.passed)
        return f"{len(self.warned)} of {ran} honesty flags that ran warn, {len(self.idle)} did not run"


def box(points: Iterable[Point]) -> Box | None:
    """The box of a number that rests on these points; None where none of them is under an attack."""
    by_name: dict[str, list[tuple[str, Flagged]]] = {}
    points = list(points)
    for p in points:
        for flag in p.flags:
            where = [p.where] * (len(points) > 1) + [flag.seed] * bool(flag.seed)
            by_name.setdefault(flag.name, []).append((", ".join(where), flag))
    if not by_name:
        return None
    status = {name: overall(flag.status for _, flag in found) for name, found in by_name.items()}
    names = [name for name in FLAGS if name in by_name]
    return Box(
        tuple(_warned(name, by_name[name]) for name in names if status[name] == "warn"),
        tuple(name for name in names if status[name] == "pass"),
        {name: by_name[name][0][1].text for name in names if status[name] == "not run"},
    )


def _warned(name: str, found: Sequence[tuple[str, Flagged]]) -> Warned:
    lines = [f"{where}: {flag.text}" if where else flag.text for where, flag in found if flag.status == "warn"]
    return Warned(name, FLAGS[name].says, FLAGS[name].rule, tuple(lines[:SHOWN]), len(lines[SHOWN:]))


def warning(points: Iterable[Point]) -> list[str]:
    """A sentence on the flags that warn at some of the points; nothing where none does."""
    warned = {flag.name for p in points for flag in p.flags if flag.status == "warn"}
    names = [name for name in FLAGS if name in warned]
    return [f"honesty flags warn: {enumerated(names)}"] if names else []
