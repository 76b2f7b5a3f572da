"""The curves and headline numbers of a study, as MLflow metrics: key, integer step, value, time in milliseconds."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from robustmeta.config.attacking import over_steps, transfers, weaker
from robustmeta.config.labels import slug
from robustmeta.config.poisoning import poisoned
from robustmeta.config.study import Study
from robustmeta.config.tasking import dirty
from robustmeta.shifts.shift import DRAWS, ENSEMBLE
from robustmeta.store.results import Results

MAX_CURVES = 40
"""More than that make MLflow's pages slow: the means of sets and families then stand for their members."""


@dataclass(frozen=True, order=True)
class Point:
    """One value of a metric."""

    key: str
    step: int
    value: float
    time: int


@dataclass(frozen=True)
class Accuracy:
    """A learner's accuracy under one shift, and its gain over the baseline; NaN where there is no record."""

    target: str
    shift: str
    axis: str
    step: int
    mean: float
    gain: float
    time: int


def accuracies(results: Results, learner: str, seed: int | None = None) -> list[Accuracy]:
    """What the study asks for of one learner: of one seed, or over all of them as the records give it."""
    measured = _measured(results, learner, seed)
    keys = ["metric", "learner", "target", "shift", "shift_family", "axis", "step", "mean", "gain"]
    shifts, rows = results.study.shifts, list[Accuracy]()
    kinds = {"tasks": dirty(shifts), "transfer": transfers(shifts), "steps": weaker(shifts), "poison": poisoned(shifts)}
    apart = {shift: kind for kind, some in kinds.items() for shift in some}
    table = results.points[keys]
    for metric, label, target, shift, family, axis, step, mean, gain in table.itertuples(index=False, name=None):
        if metric != "accuracy" or label != learner:
            continue
        own, time = measured.get((target, shift, int(step)), (math.nan, 0))
        whole, axis = seed is None, ENSEMBLE if family == ENSEMBLE else str(apart.get(shift, axis))
        rows.append(Accuracy(target, shift, axis, int(step), mean if whole else own, gain if whole else math.nan, time))
    return rows


def _measured(results: Results, learner: str, seed: int | None) -> dict[tuple[str, str, int], tuple[float, int]]:
    """The last value of each point and the time of the latest cell below it."""
    keys = ["metric", "learner", "seed", "target", "shift", "step", "mean", "time"]
    found: dict[tuple[str, str, int], tuple[float, int]] = {}
    for metric, label, of, target, shift, step, mean, time in results.seeds[keys].itertuples(index=False, name=None):
        if metric == "accuracy" and label == learner and seed in (None, of):
            place = (target, shift, int(step))
            found[place] = mean, max(round(1000 * time), found.get(place, (mean, 0))[1])
    return found


Curve = dict[int, tuple[float, int]]
"""step -> value, time"""


def curves(rows: Sequence[Accuracy], study: Study) -> list[Point]:
    """``acc/<target>/<shift>`` for one learner; every curve starts from clean at step 0.

    A missing value leaves out its point, and a missing clean value the curves of its target: a line that starts
    elsewhere would be read wrongly. The means of sets and families replace their members where there are too many.
    """
    known = [r for r in rows if math.isfinite(r.mean)]
    crowded = sum(len(entry.curves) for entry in study.shifts) * len(study.targets) > MAX_CURVES
    means = _means(study) if crowded else {}
    found: list[Point] = []
    for target in study.targets:
        here = [r for r in known if r.target == target.label]
        clean = _by_shift(r for r in here if r.axis == "clean")
        shifted = _by_shift(r for r in here if r.axis != "clean")
        if means:
            shifted = dict(_family_means(shifted, means))
        for start in clean.values():
            for shift, curve in (shifted or clean).items():
                points = {**curve, **start}.items()
                found += [Point(f"acc/{target.label}/{shift}", step, value, time) for step, (value, time) in points]
    return sorted(found)


def step_curves(rows: Sequence[Accuracy], study: Study) -> list[Point]:
    """``steps/<target>/<attack>-eps-<eps>`` by the number of steps, of attacks measured with several; 0 is clean."""
    known = {(r.target, r.shift, r.step): r for r in rows if math.isfinite(r.mean)}
    starts = {r.target: r for r in known.values() if r.axis == "clean"}
    found: list[Point] = []
    for entry, curves in over_steps(study.shifts).items():
        for (target, shift, step), row in known.items():
            if shift in curves and target in starts:
                key, start = f"steps/{target}/{entry}-eps-{step / 1000:g}", starts[target]
                found += [Point(key, curves[shift], row.mean, row.time), Point(key, 0, start.mean, start.time)]
    return sorted(set(found))


def _by_shift(rows: Iterable[Accuracy]) -> dict[str, Curve]:
    found: dict[str, Curve] = {}
    for row in rows:
        found.setdefault(row.shift, {})[row.step] = row.mean, row.time
    return found


def _means(study: Study) -> dict[str, str]:
    """Each corruption's curve -> the mean that stands for it: that of its set, else of its family."""
    points = [p for entry in study.shifts for p in entry.points(study.images.size, study.evaluation.episodes)]
    families = {p.label: p.family + ("" if p.place == "query" else f"-{p.place}") for p in points}
    return {p.label: slug(f"mean-{p.group or families[p.label]}") for p in points if p.axis == "severity"}


def _family_means(shifted: Mapping[str, Curve], families: Mapping[str, str]) -> Iterator[tuple[str, Curve]]:
    """``families``: shift -> the name of the mean that stands for it; a shift that has none stands for itself."""
    groups: dict[str, list[Curve]] = {}
    for shift, curve in shifted.items():
        if shift in families:
            groups.setdefault(families[shift], []).append(curve)
        else:
            yield shift, curve
    for name, members in groups.items():
        # only steps that all have: no point may mix different sets of shifts
        shared = set.intersection(*(set(m) for m in members))
        yield name, {s: (_mean(m[s][0] for m in members), max(m[s][1] for m in members)) for s in shared}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else math.nan


SUMMARIES = {
    "clean_acc": "accuracy without corruption or attack, mean over the targets",
    "corrupted_acc": "accuracy under corruptions of pixels: mean over severities, then over corruptions and targets",
    "attacked_acc": "accuracy under attacks through the learner itself, at their most steps: mean over eps, then over "
    "attacks and targets",
    "poisoned_acc": "accuracy after attacks on the support: mean over eps, then over attacks and targets",
    "drawn_acc": "accuracy on the worst of several clean supports: mean over how many are drawn, then over curves and "
    "targets",
    "worst_acc": "the lowest accuracy of any target and shift",
    "gain": "accuracy minus the baseline's on the same tasks: mean over each curve, then over curves, clean among them",
}


UNCOUNTED = (ENSEMBLE, "steps", "transfer")
"""Curves that enter no mean: they repeat others, or are no test of all learners alike."""


def summary(rows: Sequence[Accuracy]) -> list[Point]:
    """``summary/*`` at step 0, to four decimals, for one learner; a number that lacks a record is left out."""
    time = max((r.time for r in rows), default=0)
    values = {
        "clean_acc": _over_curves((r, r.mean) for r in rows if r.axis == "clean"),
        "corrupted_acc": _over_curves((r, r.mean) for r in rows if r.axis == "severity"),
        "attacked_acc": _over_curves((r, r.mean) for r in rows if r.axis == "eps"),
        "poisoned_acc": _over_curves((r, r.mean) for r in rows if r.axis == "poison"),
        "drawn_acc": _over_curves((r, r.mean) for r in rows if r.axis == DRAWS),
        "worst_acc": min(r.mean for r in rows) if all(math.isfinite(r.mean) for r in rows) else math.nan,
        "gain": _over_curves((r, r.gain) for r in rows if r.axis not in UNCOUNTED),
    }
    return [Point(f"summary/{k}", 0, round(v, 4), time) for k, v in values.items() if math.isfinite(v)]


def spread(results: Results, learner: str, time: int, seed: int | None = None) -> list[Point]:
    """``summary/permutation_spread`` at step 0, over the seeds or of one; none where it is zero by construction."""
    table = results.tuning
    if not len(table):
        return []
    mine = table[table["chosen"] & (table["learner"] == learner)]
    values = [float(v) for v in (mine if seed is None else mine[mine["seed"] == seed])["permutation_spread"]]
    found = _mean(values)
    return [Point("summary/permutation_spread", 0, round(found, 4), time)] if math.isfinite(found) else []


def set_summary(results: Results, learner: str, time: int) -> list[Point]:
    """``summary/<measure>/<set>/<target>`` at step 0 for one learner over all seeds; what is undefined is left out."""
    rows = results.sets[["learner", "target", "group", "measure", "mean"]].itertuples(index=False, name=None)
    mine = [(f"summary/{m}/{group}/{target}", mean) for label, target, group, m, mean in rows if label == learner]
    return [Point(key, 0, round(mean, 4), time) for key, mean in mine if math.isfinite(mean)]


def stability(results: Results, learner: str, time: int) -> list[Point]:
    """``flip/<target>/<sequence>`` by difficulty for one learner over all seeds."""
    keys = ["metric", "learner", "target", "shift", "step", "mean"]
    rows = results.points[keys].itertuples(index=False, name=None)
    mine = [(t, s, k, v) for m, label, t, s, k, v in rows if (m, label) == ("flip_rate", learner) and math.isfinite(v)]
    return [Point(f"flip/{target}/{shift}", int(step), value, time) for target, shift, step, value in mine]


def certificates(results: Results, learner: str, time: int) -> list[Point]:
    """``certified/<target>/<certificate>-sigma-<sigma>`` by 1000 × radius, the other measures by 1000 × sigma."""
    keys = ["learner", "target", "shift", "sigma", "measure", "radius", "mean"]
    found: list[Point] = []
    for label, target, shift, sigma, measure, radius, mean in results.certificates[keys].itertuples(index=False):
        if label == learner:
            curve = f"certified/{target}/{shift}-sigma-{sigma:g}"
            key, step = (f"{measure}/{target}/{shift}", sigma) if math.isnan(radius) else (curve, radius)
            found.append(Point(key, round(1000 * step), mean, time))
    return found


def instances(results: Results, learner: str, time: int, seed: int | None = None) -> list[Point]:
    """``instance`` by k: accuracy at the k-th image of a class, over the seeds or of one, if the learner has that."""
    if not len(results.instances):
        return []
    found: dict[int, list[float]] = {}
    columns = ["learner", "seed", "instance", "accuracy"]
    for label, of, k, accuracy in results.instances[columns].itertuples(index=False, name=None):
        if label == learner and seed in (None, of):
            found.setdefault(int(k), []).append(accuracy)
    return [Point("instance", k, _mean(values), time) for k, values in found.items()]


def _over_curves(values: Iterable[tuple[Accuracy, float]]) -> float:
    """The mean of the curves' means; NaN if there is none, or one lacks a value."""
    by_curve: dict[tuple[str, str], list[float]] = {}
    for row, value in values:
        by_curve.setdefault((row.target, row.shift), []).append(value)
    return _mean(_mean(curve) for curve in by_curve.values())


HISTORY = {
    "loss": "train/loss",
    "rate": "train/rate",
    "gradient_norm": "train/gradient_norm",
    "val_accuracy": "val/accuracy",
}
"""Column of the training history -> metric."""


def spent(results: Results, learner: str, seed: int, time: int) -> list[Point]:
    """``cost/images``, ``cost/train_passes`` and ``cost/gradient_passes``: what a training has taken, at step 0."""
    found: list[Point] = []
    for row in results.costs.to_dict("records"):
        if (row["learner"], row["seed"]) == (learner, seed):
            known = {c: float(row.get(c, math.nan)) for c in ("images", "train_passes", "gradient_passes")}
            found += [Point(f"cost/{c}", 0, value, time) for c, value in known.items() if not math.isnan(value)]
    return found


def training(results: Results, learner: str, seed: int, time: int) -> list[Point]:
    """``train/loss``, ``train/rate``, ``train/gradient_norm`` and ``val/accuracy`` by training step."""
    if len(results.training) == 0:
        return []
    columns = ["learner", "seed", "step", *HISTORY]
    found: list[Point] = []
    for label, of, step, *values in results.training[columns].itertuples(index=False, name=None):
        if (label, of) == (learner, seed):
            named = zip(HISTORY.values(), values, strict=True)
            found += [Point(key, int(step), value, time) for key, value in named if math.isfinite(value)]
    return found
