"""What stands beside the numbers: how they came about, what they cost, what was chosen, what is missing."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from robustmeta.config.flags import FLAGS, STATUSES
from robustmeta.config.study import Study
from robustmeta.report.findings import FRAMES, TASKS, Findings
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
        "averages": "each shift counts once, with the mean over its severities, eps or draws; the interval is the mean "
        "of the intervals, which is never too narrow, as the same tasks serve every shift"
        + "; dirty supports, whose pixels are clean, are no corruptions and have an average of their own"
        * any(p.condition == TASKS for p in found.points),
        "gain": f"accuracy minus that of {found.baseline} with the same training seed on the same episodes, in points; "
        "no difference is shown where its interval holds 0"
        if found.baseline
        else "none: no baseline has a result",
        "best": BEST_RULE,
        "transductive learners": ", ".join(sorted(found.transductive))
        or "none: no answer depends on the other queries",
    }


def strengths(study: Study, found: Findings) -> Listing:
    """What each shift is: the law, where it acts, the levels behind its strengths, and whose these are."""
    notes = {p.shift: p.notes for p in reversed(found.points)}
    rows: list[tuple[str, ...]] = []
    for told in (t for entry in study.shifts for t in entry.told(study.images.size)):
        remarks = dict.fromkeys((told.remarks, *notes.get(told.label, ())))
        rows.append((told.label, told.law, told.place, told.strengths, "; ".join(r for r in remarks if r)))
    return Listing(
        "Shifts and their strengths", ("shift", "law", "acts on", "strengths", "levels and remarks"), tuple(rows)
    )


def honesty(results: Results) -> Listing | None:
    """Every honesty flag with its rule, and in how many results under attacks it warns; None without attacks."""
    if not len(results.flags):
        return None
    counts = Counter(results.flags[["flag", "status"]].itertuples(index=False, name=None))
    rows = [
        (name, flag.says, flag.rule, *(str(counts[name, status]) for status in STATUSES))
        for name, flag in FLAGS.items()
    ]
    columns = ("flag", "a warning means", "it warns when", "warns", "passes", "did not run")
    episodes = results.study.flag_episodes
    caption = f"Honesty flags of results under attacks; further attacks see the first {episodes} tasks of each"
    return Listing(caption, columns, tuple(rows))


MEASURES = {
    "mean_accuracy": ("mean accuracy, %", 100, 1),
    "mce": ("mCE", 1, 3),
    "relative_mce": ("relative mCE", 1, 3),
    "flip_rate": ("mean flip probability, %", 100, 2),
    "mfr": ("mFR", 1, 3),
}
RATIOS = ("mce", "relative_mce", "mfr")
NO_INTERVAL = "(no interval)"


def sets(results: Results, found: Findings) -> Listing | None:
    """Measure x learner on each target over whole sets: means, and ratios to the baseline's."""
    table = results.sets
    kinds = [(g, m) for g in dict.fromkeys(table["group"]) for m in MEASURES if _has(table, g, m)]
    by_place = {key: some[0] for key, some in grouped(table, "learner", "target", "group", "measure").items()}
    rows: list[tuple[str, ...]] = []
    for target in found.targets:
        for group, measure in kinds:
            cells = [_measured(by_place.get((n, target, group, measure)), measure, n, found) for n in found.learners]
            rows += [(f"{group}: {MEASURES[measure][0]}", target, *cells)] if any(cells) else []
    against = f"; mCE and mFR are relative to {found.baseline}, less is better" if found.baseline else ""
    unsure = f"; {NO_INTERVAL}: in some resamples the baseline loses nothing"
    said = any(NO_INTERVAL in cell for row in rows for cell in row)
    caption = f"Whole sets: means over members and severities{against}{unsure if said else ''}"
    return Listing(caption, ("set and measure", "target", *found.learners), tuple(rows)) if rows else None


def stability(results: Results, found: Findings) -> Listing | None:
    """Sequence x learner on each target: how often predictions change from frame to frame."""
    rows: list[tuple[str, ...]] = []
    for (axis, target, shift, step), some in grouped(results.points, "axis", "target", "shift", "step").items():
        if axis != FRAMES:
            continue
        cells = {row["learner"]: row for row in some}
        texts = [interval(cells[n], 100, 2) if n in cells else "" for n in found.learners]
        rows.append((shift, target, str(step), *texts))
    caption = "Stability on sequences: frames whose prediction is not that of the reference frame, in %, less is better"
    return Listing(caption, ("sequence", "target", "difficulty", *found.learners), tuple(rows)) if rows else None


def interval(row: Mapping[Any, Any], scale: int, digits: int) -> str:
    """A mean with its bounds, scaled and rounded; says so where there is none."""
    mean, low, high = (scale * float(row[k]) for k in ("mean", "low", "high"))
    if math.isnan(mean):
        return FAILED
    found = NO_INTERVAL if math.isnan(low + high) else f"[{low:.{digits}f}, {high:.{digits}f}]"
    return f"{mean:.{digits}f} {found}"


def _has(table: pd.DataFrame, group: str, measure: str) -> bool:
    return bool(((table["group"] == group) & (table["measure"] == measure)).any())


def _measured(row: Mapping[Any, Any] | None, measure: str, learner: str, found: Findings) -> str:
    if row is None:
        return ""
    if measure in RATIOS and not found.comparable(learner):
        return "not compared: transductive against inductive"
    if math.isnan(float(row["mean"])):
        return "undefined: the baseline loses next to nothing to one of them"
    return interval(row, *MEASURES[measure][1:])


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


SPREAD = "spread over orders of support and classes, points (none: cannot matter)"


def tuning(table: pd.DataFrame) -> Listing | None:
    """Each choice that was tried on source validation, its accuracy, and which seeds chose it."""
    rows: list[tuple[str, ...]] = []
    for (learner, choice), tried in grouped(table, "learner", "choice").items():
        seeds = [str(row["seed"]) for row in tried if row["chosen"]]
        accuracy = mean(tried, "val_accuracy")
        value = "diverged" if math.isnan(accuracy) else f"{100 * accuracy:.1f}"
        chosen = [row for row in tried if row["chosen"]]
        spread = mean(chosen, "permutation_spread") if chosen else math.nan
        told = "" if math.isnan(spread) else f"{100 * spread:.1f}"
        rows.append((learner, choice, value, f"seed {', '.join(seeds)}" if seeds else "", told))
    columns = ("learner", "choice", "validation accuracy, % (mean over seeds)", "chosen for", SPREAD)
    return Listing("Test-time choices tried on source validation", columns, tuple(rows)) if rows else None


COSTS = {
    "images": ("images drawn", 1, "{:,.0f}"),
    "train_passes": ("training passes", 1, "{:,.0f}"),
    "gradient_passes": ("gradient passes", 1, "{:,.0f}"),
    "train_seconds": ("training, s", 1, "{:,.1f}"),
    "validation_seconds": ("validation in training, s", 1, "{:,.1f}"),
    "adapt_seconds_per_task": ("adapting, ms a task", 1000, "{:,.1f}"),
    "evaluate_passes": ("evaluation passes", 1, "{:,.0f}"),
    "flag_passes": ("for flags", 1, "{:,.0f}"),
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
