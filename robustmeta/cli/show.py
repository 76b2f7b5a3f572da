"""What the commands print: the same facts as text for people and as plain objects for JSON."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustmeta.cli.output import table

if TYPE_CHECKING:
    import pandas as pd

    from robustmeta.api import Finished
    from robustmeta.store.results import Outcome
    from robustmeta.study.plan import Row

COLUMNS = (
    *("learner", "family", "source", "target", "shift", "place", "severity", "eps", "draws"),
    *("metric", "mean", "low", "high", "n_episodes", "n_seeds", "interval"),
    *("transductive", "baseline", "gain", "gain_low", "gain_high"),
)


def finished(run: "Finished") -> dict[str, Any]:
    """The object of ``run --json``."""
    outcome, tracked = run.results.outcome, run.tracked
    keys = ("tracking_uri", "experiment_id", "run_id")
    rows, proved = _rows(run.results.points, COLUMNS), run.results.certificates
    return {
        "study": run.results.study.name,
        "cells": {
            "planned": outcome.planned,
            "cached": outcome.cached,
            "computed": outcome.computed,
            "failed": len(outcome.failures),
        },
        "mlflow": {key: getattr(tracked, key) if tracked else None for key in keys},
        "results": [{**row, "severity": _whole(row["severity"])} for row in rows],
        "certificates": _rows(proved, list(proved.columns)),
        "flagged": list(run.flagged),
    }


def _rows(frame: "pd.DataFrame", columns: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in frame[list(columns)].itertuples(index=False, name=None)]


def _whole(severity: float) -> int | None:
    return None if math.isnan(severity) else int(severity)


def cells(outcome: "Outcome") -> str:
    """One line on what a run did."""
    failed = f", {len(outcome.failures)} failed" if outcome.failures else ""
    return f"{outcome.planned} cells: {outcome.cached} were there, {outcome.computed} computed{failed}"


def plan(study: str, rows: "Iterable[Row]") -> dict[str, Any]:
    """The object of ``plan --json``."""
    rows = list(rows)
    missing = [r for r in rows if not r.cached]
    return {
        "study": study,
        "cells": {"planned": len(rows), "cached": len(rows) - len(missing), "missing": len(missing)},
        "passes": {"planned": sum(r.passes for r in rows), "missing": sum(r.passes for r in missing)},
        "gradient_passes": {"planned": _gradients(rows), "missing": _gradients(missing)},
        "rows": [vars(r) for r in rows],
    }


def plan_text(rows: "Iterable[Row]") -> str:
    """A line for each learner and shift: cells, how many are there, and images to send through a network."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.learner, row.kind, row.shift), []).append(row)
    body = [[*names, len(group), sum(r.cached for r in group), *_passes(group)] for names, group in groups.items()]
    every = [r for group in groups.values() for r in group]
    body.append(["all", "", "", len(every), sum(r.cached for r in every), *_passes(every)])
    text = table(("LEARNER", "CELL", "SHIFT", "CELLS", "THERE", "IMAGE PASSES", "TO DO"), body)
    if whole := _gradients(every):
        todo = _gradients(r for r in every if not r.cached)
        text += f"\nTraining sends {whole:,} images backward, {todo:,} of them to do."
    return f"{text}\n{ESTIMATE}" if any(r.estimate for r in every) else text


ESTIMATE = "The budget is in seconds: the passes of training are an estimate, and no second run gives the same numbers."


def _gradients(rows: "Iterable[Row]") -> int:
    return sum(r.gradient_passes for r in rows)


def _passes(rows: "Iterable[Row]") -> tuple[int, int]:
    rows = list(rows)
    return sum(r.passes for r in rows), sum(r.passes for r in rows if not r.cached)


def description(found: Mapping[str, Any]) -> str:
    """A component for people."""
    parts = [f"{found['name']} ({found['kind']})", "", found["doc"], ""]
    for key in ("paper", "origin", "version", "family"):
        parts += [f"{key}: {found[key]}"] if found.get(key) else []
    for name, levels in found.get("tables", {}).items():
        law, parity = (found.get(key, {}).get(name, "") for key in ("laws", "parity"))
        facts = "; ".join(f for f in (law and f"law: {law}", parity and f"parity: {parity}") if f)
        parts.append(f"severity table {name}: {', '.join(map(str, levels))}" + (f" ({facts})" if facts else ""))
    if found["fields"]:
        rows = [[f["name"], f["type"], _default(f), f["limits"], f["description"]] for f in found["fields"]]
        parts += ["", table(("FIELD", "TYPE", "DEFAULT", "LIMITS", "WHAT"), rows)]
    return "\n".join(parts)


def _default(field: Mapping[str, Any]) -> str:
    return "(required)" if field["required"] else json.dumps(field["default"])


def checked(found: Mapping[str, Any]) -> str:
    """The result of ``check`` for people."""
    words = {True: "ok    ", False: "FAILED"}
    lines = [f"{words[f['passed']]} {f['name']}: {f['text']}" for f in found["findings"]]
    drawn = [f"drawn: {found['sheet']}"] if found["sheet"] else []
    return "\n".join([*lines, *drawn])
