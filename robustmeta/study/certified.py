"""What a study certifies: from the records of its queries to accuracies within radii."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robustmeta.config.components import Certificate
from robustmeta.metrics.intervals import linear
from robustmeta.store.cells import Store
from robustmeta.store.results import CERTIFICATE_COLUMNS
from robustmeta.study.plan import Plan, Work

Array = NDArray[np.float64]
POINTS = 50
"""The most radii beside 0 of a curve."""
STEPS = tuple(m * 10.0**e for e in range(-3, 3) for m in (1, 2, 5))
"""Round distances of radii; no smaller one, for curves have places at thousandths."""


def radii(largest: float) -> Array:
    """0 and round radii after it, up to the largest that can be certified; at most ``POINTS``.

    >>> radii(0.296).round(3).tolist()[-3:]
    [0.27, 0.28, 0.29]
    """
    step = next((s for s in STEPS if largest / s <= POINTS), largest / POINTS)
    return np.arange(math.floor(largest / step + 1e-9) + 1, dtype=np.float64) * step


def measures(queries: pd.DataFrame, episodes: int, at: Array) -> dict[tuple[str, float], Array]:
    """(measure, radius) -> its value in each episode, from the records of the queries in order; see ``Results``."""
    label, radius = queries["label"].to_numpy(), queries["radius"].to_numpy()
    right = queries["certified"].to_numpy() == label
    found = {("certified_accuracy", float(r)): right & (radius >= r) for r in at}
    rest = {
        "smoothed_accuracy": queries["predicted"].to_numpy() == label,
        "abstained": queries["predicted"].to_numpy() < 0,
        "mean_radius": radius * right,
    }
    every = found | {(name, math.nan): values for name, values in rest.items()}
    return {key: values.astype(np.float64).reshape(episodes, -1).mean(1) for key, values in every.items()}


def table(plan: Plan, store: Store) -> pd.DataFrame:
    """The certificates of a study; those that are not there have no rows."""
    groups: dict[tuple[str, str, str, float], list[Work]] = {}
    for w in plan.work:
        if w.target and w.shift and isinstance(w.shift.certificate, Certificate) and store.has(w.cell.key):
            groups.setdefault((w.learner.label, w.target.label, w.shift.label, w.shift.value), []).append(w)
    rows = [(*place, *row) for place, works in groups.items() for row in _rows(works, store)]
    return pd.DataFrame(rows, columns=list(CERTIFICATE_COLUMNS))


def _rows(works: list[Work], store: Store) -> Iterator[tuple[Any, ...]]:
    """The measures of a learner on a target under noise of one sigma, over its seeds."""
    shift = works[0].shift
    if shift is None or not isinstance(shift.certificate, Certificate):
        raise ValueError(f"{works[0].name} certifies nothing")
    at = radii(shift.certificate.largest(shift.value))
    seeds: list[Mapping[tuple[str, float], Array]] = [
        measures(store.table(w.cell.key, "queries"), shift.episodes, at) for w in works
    ]
    coupled = any(bool(store.head(w.cell.key)["protocol"]["coupled"]) for w in works)
    for (name, radius), values in zip(seeds[0], zip(*(s.values() for s in seeds), strict=True), strict=True):
        own = linear(np.stack(values)).within(math.inf if name == "mean_radius" else 1.0)
        facts = (shift.episodes, len(works), own.interval, coupled, shift.certificate.confidence())
        yield name, radius, own.mean, own.low, own.high, *facts
