"""Accuracy at the first, second, ... image of a class, of learners that read images one by one."""

from collections.abc import Mapping
from dataclasses import dataclass

from robustmeta.metrics.instances import by_elimination
from robustmeta.report.curves import Curve, Frame, panel
from robustmeta.report.facts import Listing
from robustmeta.report.figures import Panel
from robustmeta.report.rows import grouped, mean
from robustmeta.store.results import Results

Scores = dict[int, float]
"""k -> accuracy at the k-th image of a class."""


@dataclass(frozen=True)
class Instances:
    """The table, the same drawn, and what the first column means."""

    table: Listing
    drawing: Panel
    key: str


def instances(results: Results, colours: Mapping[str, str]) -> Instances | None:
    """Mean over seeds by learner and instance; what a memory adds is given where a ``mann`` stands beside an ``lstm``.

    None if no learner reads images one by one.
    """
    found: dict[str, Scores] = {}
    for (learner, k), rows in grouped(results.instances, "learner", "instance").items():
        found.setdefault(learner, {})[int(k)] = mean(rows, "accuracy")
    if not found:
        return None
    last = max(max(scores) for scores in found.values())
    rows = [(name, *_cells(scores, last)) for name, scores in found.items()]
    rows += [(f"{a} − {b}", *_cells(_minus(found[a], found[b]), last, "+")) for a, b in _pairs(results, found)]
    caption = "Accuracy by instance, in %: at the k-th image of its class in a sequence, before its label is shown"
    table = Listing(caption, ("learner", *(f"k = {k}" for k in range(1, last + 1))), tuple(rows))
    lines = [_line(scores, colours[name]) for name, scores in found.items()]
    ways = sorted({int(way) for way in results.instances["way"]})
    frame = Frame("image of its class", "accuracy, %", (0, 100), tuple((k, str(k)) for k in range(1, last + 1)))
    words = "; ".join(f"{name}: {', '.join(_cells(scores, last))}" for name, scores in found.items())
    drawing = Panel("by instance", panel(lines, frame, "instances"), f"Accuracy in % by instance. {words}.")
    return Instances(table, drawing, " ".join(_key(way) for way in ways))


def _line(scores: Scores, colour: str) -> Curve:
    return Curve(colour, tuple(scores), tuple(100 * v for v in scores.values()))


def _key(way: int) -> str:
    return (
        f"With {way} classes chance is {100 / way:.3g}%, and a learner that knows a new class by sight is right at its "
        f"first image in {100 * by_elimination(way):.3g}% of cases, as it can leave out the labels already shown."
    )


def _cells(scores: Scores, last: int, sign: str = "") -> tuple[str, ...]:
    texts = {k: f"{100 * v:{sign}.1f}".replace("-", "−") for k, v in scores.items()}
    return tuple(texts.get(k, "") for k in range(1, last + 1))


def _minus(one: Scores, other: Scores) -> Scores:
    return {k: v - other[k] for k, v in one.items() if k in other}


def _pairs(results: Results, found: Mapping[str, Scores]) -> list[tuple[str, str]]:
    """Learners with a memory, each with its control, where they were trained on as many classes."""
    study = results.study
    methods = {one.label: one.method for one in (*study.learners, *study.baselines) if one.label in found}
    named = {kind: [n for n, m in methods.items() if m.name == kind] for kind in ("mann", "lstm")}
    return [(a, b) for a in named["mann"] for b in named["lstm"] if methods[a].diet().way == methods[b].diet().way]
