"""What stands beside the numbers: how they came about, what they cost, what was chosen, what is missing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import yaml

from robustmeta.config.study import ShiftEntry, Study
from robustmeta.report.findings import Findings
from robustmeta.report.grid import BEST_RULE
from robustmeta.report.rows import Rows, grouped, mean
from robustmeta.report.text import FAILED
from robustmeta.store.results import Results

INTERVALS = {
    "episodes": "over episodes: it says how precisely these trained networks are measured, not how much another "
    "training with another seed would differ (that takes three seeds or more)",
    "seeds x episodes": "over training seeds and episodes together: it covers another training and other tasks",
}


@dataclass(frozen=True)
class Listing:
    """A plain table; the first cell of each row names it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def protocol(results: Results, found: Findings) -> dict[str, str]:
    """Under which rules the numbers came about: those of the records, and those of this report."""
    kinds = [k for k in dict.fromkeys(results.points["interval"]) if k]
    return {
        **results.protocol,
        "intervals": "95%, " + "; ".join(INTERVALS[k] for k in kinds) + "; not corrected for the number of comparisons"
        if kinds
        else "none: there is no result",
        "averages": "each shift counts once, with the mean over its severities or eps; the interval is the mean of the "
        "intervals, which is never too narrow, as the same tasks serve every shift",
        "gain": f"accuracy minus that of {found.baseline} with the same training seed on the same episodes, in points; "
        "no difference is shown where its interval holds 0"
        if found.baseline
        else "none: no baseline has a result",
        "best": BEST_RULE,
        "transductive learners": ", ".join(sorted(found.transductive))
        or "none: no answer depends on the other queries",
    }


def strengths(study: Study, found: Findings) -> Listing:
    """What each shift is: the law, where it acts, the levels behind its severities or eps, and whose these are."""
    notes = {p.shift: p.notes for p in reversed(found.points)}
    rows = [_shift(entry, study.images.size, notes.get(entry.label, ())) for entry in study.shifts]
    return Listing(
        "Shifts and their strengths", ("shift", "law", "acts on", "strengths", "levels and remarks"), tuple(rows)
    )


def _shift(entry: ShiftEntry, size: int, notes: Sequence[str]) -> tuple[str, ...]:
    if entry.attack:
        fields = entry.attack.model_dump(mode="json", exclude={"name"})
        settings = ", ".join(f"{k} {v}" for k, v in fields.items() if k != "name")
        remarks = "; ".join([settings, *notes])
        return (entry.label, f"attack {entry.name}", "query", "eps " + ", ".join(f"{e:g}" for e in entry.eps), remarks)
    corruption = entry.corruption
    if corruption is None:
        raise ValueError(f"{entry.label}: a shift needs a corruption or an attack")
    table, levels = ("its own", entry.levels) if entry.levels else corruption.table(size, entry.table)
    chosen = entry.severity or tuple(range(1, len(levels) + 1))
    listed = ", ".join(f"{s}: {levels[s - 1]}" for s in chosen)
    owner = "; ".join(notes) or ("as published" if corruption.paper else "as its author gives them")
    return (
        entry.label,
        f"{entry.name} ({corruption.family})",
        entry.place,
        f"severity {listed}",
        f"table {table}: {owner}",
    )


def learners(study: Study) -> Listing:
    """How each learner is trained and what it does with a support set, before tuning."""
    rows: list[tuple[str, ...]] = []
    for role, group in (("learner", study.learners), ("baseline", study.baselines)):
        for one in group:
            method, adapt = one.method.model_dump(mode="json"), one.adapt.model_dump(mode="json")
            rows.append((one.label, role, _settings(method), _settings(adapt), one.method.paper or "–"))
    return Listing("Learners", ("learner", "role", "training", "adaptation before tuning", "paper"), tuple(rows))


def _settings(fields: dict[str, object]) -> str:
    rest = ", ".join(f"{k} {v}" for k, v in fields.items() if k != "name")
    return f"{fields['name']}: {rest}" if rest else str(fields["name"])


def tuning(table: pd.DataFrame) -> Listing | None:
    """Each choice that was tried on source validation, its accuracy, and which seeds chose it."""
    rows: list[tuple[str, ...]] = []
    for (learner, choice), tried in grouped(table, "learner", "choice").items():
        seeds = [str(row["seed"]) for row in tried if row["chosen"]]
        accuracy = mean(tried, "val_accuracy")
        value = "diverged" if math.isnan(accuracy) else f"{100 * accuracy:.1f}"
        rows.append((learner, choice, value, f"seed {', '.join(seeds)}" if seeds else ""))
    columns = ("learner", "choice", "validation accuracy, % (mean over seeds)", "chosen for")
    return Listing("Test-time choices tried on source validation", columns, tuple(rows)) if rows else None


COSTS = {
    "images": ("images drawn", 1, "{:,.0f}"),
    "train_passes": ("training passes", 1, "{:,.0f}"),
    "train_seconds": ("training, s", 1, "{:,.1f}"),
    "adapt_seconds_per_task": ("adapting, ms a task", 1000, "{:,.1f}"),
    "evaluate_passes": ("evaluation passes", 1, "{:,.0f}"),
}


def costs(table: pd.DataFrame) -> Listing | None:
    """What each learner cost, a mean over seeds. Seconds depend on the machine; passes do not."""
    known = [c for c in COSTS if c in table]
    rows = [(learner, *(_cost(group, c) for c in known)) for (learner,), group in grouped(table, "learner").items()]
    return Listing("Cost a training seed", ("learner", *(COSTS[c][0] for c in known)), tuple(rows)) if rows else None


def _cost(rows: Rows, column: str) -> str:
    _, factor, form = COSTS[column]
    value = factor * mean(rows, column)
    return FAILED if math.isnan(value) else form.format(value)


def resolved(study: Study) -> str:
    """The study as YAML, every default written out."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
