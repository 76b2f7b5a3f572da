"""What stands beside the numbers: how they came about, what they cost, what was chosen, what is missing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import yaml

from robustmeta.config.study import ShiftEntry, Study
from robustmeta.report.findings import Findings
from robustmeta.report.grid import BEST_RULE
from robustmeta.report.text import FAILED
from robustmeta.store.results import Results

INTERVALS = {
    "episodes": "over episodes: it says how precisely these trained networks are measured, not how much another training "
    "with another seed would differ (that takes three seeds or more)",
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
    if len(table) == 0:
        return None
    rows: list[tuple[str, ...]] = []
    for (learner, choice), part in table.groupby(["learner", "choice"], sort=False):
        seeds = [str(s) for s in part.loc[part["chosen"].astype(bool), "seed"]]
        accuracy = part["val_accuracy"].mean(skipna=False)
        value = "diverged" if math.isnan(accuracy) else f"{100 * accuracy:.1f}"
        rows.append((str(learner), str(choice), value, f"seed {', '.join(seeds)}" if seeds else ""))
    columns = ("learner", "choice", "validation accuracy, % (mean over seeds)", "chosen for")
    return Listing("Test-time choices tried on source validation", columns, tuple(rows))


COSTS = {
    "images": ("images drawn", "{:,.0f}"),
    "train_passes": ("training passes", "{:,.0f}"),
    "train_seconds": ("training, s", "{:,.1f}"),
    "adapt_seconds_per_task": ("adapting, ms a task", "{:,.1f}"),
    "evaluate_passes": ("evaluation passes", "{:,.0f}"),
}


def costs(table: pd.DataFrame) -> Listing | None:
    """What each learner cost, a mean over seeds. Seconds depend on the machine; passes do not."""
    if len(table) == 0:
        return None
    known = [c for c in COSTS if c in table]
    scaled = (
        table.assign(adapt_seconds_per_task=1000 * table["adapt_seconds_per_task"])
        if "adapt_seconds_per_task" in known
        else table
    )
    means = scaled.groupby("learner", sort=False)[known].mean()
    rows = [
        (
            str(learner),
            *(FAILED if math.isnan(v) else COSTS[c][1].format(v) for c, v in zip(known, values, strict=True)),
        )
        for learner, values in zip(means.index, means.to_numpy(float), strict=True)
    ]
    return Listing("Cost a training seed", ("learner", *(COSTS[c][0] for c in known)), tuple(rows))


def resolved(study: Study) -> str:
    """The study as YAML, every default written out."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
