"""What a study says over whole sets of corruptions or sequences: means, and ratios to the baseline's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robustmeta.config.study import Study
from robustmeta.metrics.benchmark import mean_corruption_error, relative_mean_corruption_error
from robustmeta.metrics.intervals import Estimate, bootstrap
from robustmeta.registry import sequence_sets
from robustmeta.shifts.shift import Shift

Array = NDArray[np.float64]
BENCHMARK = "imagenet-c"
"""The set whose errors relative to a reference model are published as mCE; no other set enters these."""

COLUMNS = ("learner", "target", "group", "measure", "mean", "low", "high", "interval", "baseline", "n_shifts")
Errors = Mapping[tuple[str, int], Array]
"""(shift, step) -> errors (seeds, episodes) of one learner on one target; ("clean", 0) among them."""


@dataclass(frozen=True)
class Set:
    """A group of shifts of a study: its label, the named set that it is, and its curves with their steps."""

    label: str
    name: str
    curves: Mapping[str, tuple[int, ...]]


def sets(study: Study, points: Sequence[Shift]) -> list[Set]:
    """The sets that a study measures whole."""
    found: dict[str, dict[str, list[int]]] = {}
    for p in points:
        if p.group:
            found.setdefault(p.group, {}).setdefault(p.label, []).append(p.step)
    names = {group: name for entry in study.shifts for group, name in entry.groups.items()}
    return [Set(g, names[g], {c: tuple(s) for c, s in curves.items()}) for g, curves in found.items()]


def measure(one: Set, mine: Errors, reference: Errors) -> dict[str, Estimate]:
    """The measures of a learner on one set; those against a reference only where there is one.

    Empty where a result is missing, or where the corruptions have different numbers of severities or tasks.
    """
    errors = _stack(one, mine)
    if errors is None:
        return {}
    if one.name in sequence_sets():
        return _flip_rates(errors, _stack(one, reference))
    found = {"mean_accuracy": bootstrap(lambda m: 1 - m[0].mean(-1), [errors])}
    other = _stack(one, reference)
    if one.name != BENCHMARK or other is None:
        return found
    count, episodes = len(one.curves), errors.shape[1]
    clean, other_clean = (e["clean", 0][:, :episodes, None] for e in (mine, reference))

    def grid(flat: Array) -> Array:
        return flat.reshape(*flat.shape[:-1], count, -1)

    def relative(m: Sequence[Array]) -> Array:
        return relative_mean_corruption_error(grid(m[0]), m[1][..., 0], grid(m[2]), m[3][..., 0])

    return found | {
        "mce": bootstrap(lambda m: mean_corruption_error(grid(m[0]), grid(m[1])), [errors, other]),
        "relative_mce": bootstrap(relative, [errors, clean, other, other_clean]),
    }


def _flip_rates(flips: Array, reference: Array | None) -> dict[str, Estimate]:
    """The mean flip probability, and mFR = mean over sequences of its ratio to the reference's."""
    found = {"flip_rate": bootstrap(lambda m: m[0].mean(-1), [flips])}
    if reference is None:
        return found

    def ratio(m: Sequence[Array]) -> Array:
        return mean_corruption_error(m[0][..., None], m[1][..., None])

    return found | {"mfr": bootstrap(ratio, [flips, reference])}


def _stack(one: Set, errors: Errors) -> Array | None:
    """Errors of all points (seeds, episodes, curves x steps), or None where they do not make a full grid."""
    found = [errors.get((curve, step)) for curve, steps in one.curves.items() for step in steps]
    there = [e for e in found if e is not None]
    even = len({len(steps) for steps in one.curves.values()}) == 1 and len({e.shape for e in there}) == 1
    if len(there) < len(found) or not even or ("clean", 0) not in errors:
        return None
    return np.stack(there, -1)


def table(
    study: Study, points: Sequence[Shift], errors: Mapping[tuple[str, str], Errors], baseline: str
) -> pd.DataFrame:
    """A row per learner, target, set and measure. ``errors``: (learner, target) -> its errors."""
    rows: list[dict[str, Any]] = []
    for one in sets(study, points):
        for (learner, target), mine in errors.items():
            for name, estimate in measure(one, mine, errors.get((baseline, target), {})).items():
                row = {"learner": learner, "target": target, "group": one.label, "measure": name, "baseline": baseline}
                rows.append(row | estimate._asdict() | {"n_shifts": len(one.curves)})
    return pd.DataFrame(rows, columns=list(COLUMNS))
