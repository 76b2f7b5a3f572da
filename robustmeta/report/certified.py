"""What is certified: accuracy within a radius, drawn and in a table, and how sure it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from robustmeta.report.curves import Curve, Frame, panel
from robustmeta.report.facts import Listing, interval
from robustmeta.report.figures import Panel, Strip
from robustmeta.report.findings import Findings
from robustmeta.report.rows import Rows, grouped
from robustmeta.store.results import Results

CURVE = "certified_accuracy"
WORDS = 5
"""About how many points of a curve are said in words."""
MEANING = (
    "A certificate is of the smoothed classifier: the answer that the adapted learner gives most often when Gaussian "
    "noise of standard deviation sigma is added to a query. That is another classifier than the one measured elsewhere "
    "in this report. A query is certified within a radius when no change of it that is shorter in L2 alters that "
    "answer, whatever the attack; certified accuracy is the share of queries that are right and certified so far. "
    "Where the noise leaves the answer open it abstains, which counts as wrong."
)
TOGETHER = (
    "Of a transductive learner the queries of a task are one input: its radius is the length of the change of all of "
    "them together, so its curve is not comparable with an inductive one's in strength, only in what is proved."
)


@dataclass(frozen=True)
class Certificates:
    """What is said, a strip of curves a target, and the table below them."""

    says: tuple[str, ...]
    strips: tuple[Strip, ...]
    table: Listing


def certificates(results: Results, found: Findings, colours: Mapping[str, str]) -> Certificates | None:
    """The section on certificates; None without any."""
    rows = grouped(results.certificates, "target", "shift", "sigma")
    if not rows:
        return None
    strips: dict[str, list[Panel]] = {}
    for i, ((target, shift, sigma), some) in enumerate(rows.items()):
        curve = [row for row in some if row["measure"] == CURVE]
        name = f"certified-{i}"
        strips.setdefault(target, []).append(_panel(target, f"{shift} sigma {sigma:g}", curve, colours, name))
    every = [row for some in rows.values() for row in some]
    together = [TOGETHER] * any(row["transductive"] for row in every)
    drawn = tuple(Strip(target, tuple(panels)) for target, panels in strips.items())
    return Certificates((MEANING, _confidence(every), *together), drawn, _table(rows, found))


def _confidence(rows: Rows) -> str:
    shares = dict.fromkeys(row["confidence"] for row in rows)
    listed = " or ".join(f"{100 * share:.6g}%" for share in shares)
    return (
        f"Each query's radius holds with a probability of {listed} or more over the draws of noise, for that query "
        f"alone: of 1,000 certified queries about {1000 * (1 - min(shares)):.3g} may be wrong. The bands are 95% "
        "intervals over tasks (and seeds), which is another uncertainty."
    )


def _panel(target: str, title: str, rows: Rows, colours: Mapping[str, str], name: str) -> Panel:
    lines: dict[str, Rows] = {}
    for row in rows:
        lines.setdefault(row["learner"], []).append(row)
    curves = [_curve(some, colours[n]) for n, some in lines.items()]
    words = "; ".join(f"{n}: {', '.join(_words(some))}" for n, some in lines.items())
    frame = Frame("radius in L2", "certified accuracy, %", (0, 100))
    said = f"Certified accuracy in % on {target}, {title}, by radius. {words}."
    return Panel(title, panel(curves, frame, name), said)


def _words(rows: Rows) -> list[str]:
    """Some of a curve's points."""
    some = rows[:: max(1, len(rows) // WORDS)]
    return [f"{100 * row['mean']:.1f} at {row['radius']:g}" for row in some]


def _curve(rows: Rows, colour: str) -> Curve:
    mean, low, high = (tuple(min(100.0, max(0.0, 100 * row[k])) for row in rows) for k in ("mean", "low", "high"))
    at, dashed = tuple(row["radius"] for row in rows), any(row["transductive"] for row in rows)
    return Curve(colour, at, mean, low, high, dashed=dashed)


HEADS = {
    "smoothed_accuracy": ("smoothed accuracy, %", 100, 1),
    "abstained": ("abstained, %", 100, 1),
    "mean_radius": ("mean radius of all queries (0 where wrong)", 1, 3),
}


def _table(groups: Mapping[tuple[Any, ...], Rows], found: Findings) -> Listing:
    rows: list[tuple[str, ...]] = []
    for (target, shift, sigma), some in groups.items():
        for learner in found.learners:
            mine = [row for row in some if row["learner"] == learner]
            if mine:
                within = next(row for row in mine if row["measure"] == CURVE)
                cells = [interval(row, *HEADS[row["measure"]][1:]) for row in _ordered(mine)]
                tasks = f"{mine[0]['n_episodes']} x {mine[0]['n_seeds']}"
                rows.append((learner, target, f"{shift} sigma {sigma:g}", interval(within, 100, 1), *cells, tasks))
    heads = tuple(head for head, _, _ in HEADS.values())
    columns = ("learner", "target", "certificate", "certified accuracy at radius 0, %", *heads, "tasks x seeds")
    return Listing("Certified robustness", columns, tuple(rows))


def _ordered(rows: Rows) -> Rows:
    return [row for name in HEADS for row in rows if row["measure"] == name]
