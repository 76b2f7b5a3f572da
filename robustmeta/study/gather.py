"""From the records of a study to its results: metrics, intervals, paired gains."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robustmeta.config.components import Attack, Certificate, SupportAttack
from robustmeta.config.study import Learner, Study
from robustmeta.metrics.intervals import estimate
from robustmeta.metrics.scores import Metric
from robustmeta.registry import builtin, resolve
from robustmeta.shifts.shift import DRAWS, ENSEMBLE, Shift
from robustmeta.store.cells import Store, versions
from robustmeta.store.results import Outcome, Results
from robustmeta.study import certified, ensemble, flags, sets
from robustmeta.study.augment import seen
from robustmeta.study.plan import Plan, Work, digest
from robustmeta.study.shifts import points as shift_points

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """A stored evaluation: its statistics by metric (episodes, k), and facts."""

    work: Work
    statistics: dict[str, Array]
    coupled: bool
    finished: float
    flags: Mapping[str, Mapping[str, Any]]

    @property
    def error(self) -> Array:
        """Error of each episode (episodes,); of a sequence how often predictions flip."""
        found = self.statistics
        return found["flip_rate"][:, 0] if "flip_rate" in found else 1 - found["accuracy"][:, 0]


def metrics() -> list[Metric]:
    """The built-in metrics, accuracy first."""
    found = [resolve("metrics", name) for name in builtin("metrics")]
    return sorted((m for m in found if isinstance(m, Metric)), key=lambda m: (m.name != "accuracy", m.name))


def metrics_of(shift: Shift | None) -> list[Metric]:
    """Those that a point of a shift has: accuracy alone for the worst of attacks; certificates have their own."""
    if shift and isinstance(shift.certificate, Certificate):
        return []
    if shift and shift.family == ENSEMBLE:
        return [m for m in metrics() if m.name == "accuracy"]
    return [m for m in metrics() if m.frames == bool(shift and shift.sequence)]


def gather(plan: Plan, store: Store, outcome: Outcome) -> Results:
    """The results of a study from what its store holds; cells that are not there have NaN."""
    study = plan.study
    scored = [w for w in plan.work if metrics_of(w.shift) and w.shift and store.has(w.cell.key)]
    measured = {_place(w): _measure(w, store) for w in scored}
    minima = ensemble.minima(plan, store)
    measured |= {_place(m.work): _worst(m, m.accuracy) for m in minima if m.accuracy is not None}
    tuning = _summaries(plan, store, "tune")
    training = _summaries(plan, store, "train").drop(columns="key", errors="ignore")
    baseline = _baseline(study.baselines, tuning)
    points = _points(study, [*plan.work, *(m.work for m in minima)], measured, baseline)
    return Results(
        study=study,
        digest=digest(study, plan.keys),
        outcome=outcome,
        points=points,
        seeds=_seeds(measured.values()),
        sets=sets.table(study, shift_points(study), _errors(plan, measured), baseline),
        training=training,
        tuning=tuning,
        instances=_instances(plan, store),
        costs=_costs(plan, store),
        protocol=_protocol(plan, store, baseline),
        versions=versions(),
        examples=_examples(plan, store),
        cells={w.cell.key: {"kind": w.cell.kind, "what": w.name} for w in plan.work},
        certificates=certified.table(plan, store),
        flags=flags.table(flags.Context(_attacked(study, measured), baseline, study.images)),
    )


def _attacked(study: Study, measured: Mapping[tuple[str, int, str, str, int], Measured]) -> list[flags.Attacked]:
    """The results under attacks, for honesty flags."""
    ways = {target.label: study.evaluation.at(target).way for target in study.targets}
    found: list[flags.Attacked] = []
    for (learner, seed, target, shift, step), m in measured.items():
        point = m.work.shift
        if point and isinstance(point.attack, Attack):
            place = (learner, seed, target, ways[target], shift, step, point.value)
            accuracy, transferred = m.statistics["accuracy"][:, 0], bool(point.through)
            found.append(flags.Attacked(*place, point.attack, accuracy, m.flags, transferred))
        elif point and point.poison and isinstance(point.poison.attack, SupportAttack):
            place = (learner, seed, target, ways[target], shift, step, point.value)
            found.append(flags.Attacked(*place, point.poison.attack, m.statistics["accuracy"][:, 0], m.flags))
    return found


def _place(work: Work) -> tuple[str, int, str, str, int]:
    if work.target is None or work.shift is None:
        raise ValueError(f"{work.name} evaluates nothing")
    return (work.learner.label, work.seed, work.target.label, work.shift.label, work.shift.step)


def _measure(work: Work, store: Store) -> Measured:
    queries = store.table(work.cell.key, "queries")
    episodes = work.shift.episodes if work.shift else 0
    statistics = {m.name: m.statistics(queries, episodes) for m in metrics_of(work.shift)}
    protocol, finished = store.head(work.cell.key)["protocol"], store.costs(work.cell.key)["finished"]
    return Measured(work, statistics, bool(protocol["coupled"]), finished, protocol.get("flags", {}))


def _baseline(baselines: Iterable[Learner], tuning: pd.DataFrame) -> str:
    """The baseline that is best on source validation: the one that learners are held against."""
    labels = [b.label for b in baselines]
    if len(tuning) == 0:
        return labels[0] if labels else ""
    chosen = tuning[tuning["chosen"]]
    means = {b: float(chosen.loc[chosen["learner"] == b, "val_accuracy"].mean()) for b in labels}
    known = {b: m for b, m in means.items() if not math.isnan(m)}
    return max(known, key=lambda b: known[b]) if known else ""


def _worst(found: ensemble.Minimum, accuracy: Array) -> Measured:
    return Measured(found.work, {"accuracy": accuracy[:, None]}, found.coupled, found.finished, {})


def _points(
    study: Study, works: Iterable[Work], measured: dict[tuple[str, int, str, str, int], Measured], baseline: str
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    seen: dict[tuple[str, str, str, int], Work] = {}
    for w in works:
        if w.shift:
            label, _, target, shift, step = _place(w)
            seen.setdefault((label, target, shift, step), w)
    roles = {learner.label: "learner" for learner in study.learners} | {b.label: "baseline" for b in study.baselines}
    source = "+".join(s.label for s in study.sources)
    for (label, target, shift, step), w in seen.items():
        mine = {s: m for s in study.seeds if (m := measured.get((label, s, target, shift, step)))}
        other = {s: m for s in mine if (m := measured.get((baseline, s, target, shift, step)))}
        versus = baseline if label != baseline else ""
        facts = {"learner": label, "role": roles[label], "family": w.learner.method.family, "source": source}
        for metric in metrics_of(w.shift):
            values = _estimates(metric, mine, other if versus else {})
            rows.append(
                facts | {"target": target} | _shift(w.shift) | {"metric": metric.name, "baseline": versus} | values
            )
    return pd.DataFrame(rows)


def _shift(shift: Shift | None) -> dict[str, Any]:
    if shift is None:
        raise ValueError("a point needs a shift")
    return {
        "shift": shift.label,
        "shift_family": shift.family,
        "group": shift.group,
        "place": shift.place,
        "axis": shift.axis or "clean",
        "severity": shift.value if shift.axis in ("severity", "frames") else math.nan,
        "eps": shift.value if shift.axis == "eps" else math.nan,
        "draws": shift.value if shift.axis == DRAWS else math.nan,
        "step": shift.step,
        "notes": "; ".join(shift.notes),
    }


def _estimates(metric: Metric, mine: dict[int, Measured], other: dict[int, Measured]) -> dict[str, Any]:
    nothing = dict.fromkeys(("mean", "low", "high", "gain", "gain_low", "gain_high"), math.nan)
    if not mine:
        return nothing | {"n_episodes": 0, "n_seeds": 0, "interval": "", "transductive": False}
    values = np.stack([m.statistics[metric.name] for m in mine.values()])
    own = estimate(metric, values)
    out = nothing | {
        "mean": own.mean,
        "low": own.low,
        "high": own.high,
        "n_episodes": values.shape[1],
        "n_seeds": len(mine),
        "interval": own.interval,
        "transductive": any(m.coupled for m in mine.values()),
    }
    if other:
        shared = np.stack([mine[s].statistics[metric.name] for s in other])
        gain = estimate(metric, shared, np.stack([m.statistics[metric.name] for m in other.values()]))
        out |= {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}
    return out


Errors = dict[tuple[str, int], Array]


def _errors(plan: Plan, measured: Mapping[tuple[str, int, str, str, int], Measured]) -> dict[tuple[str, str], Errors]:
    """(learner, target) -> (shift, step) -> errors (of a sequence: flips) (seeds, episodes), if no seed lacks them."""
    found: dict[tuple[str, str], Errors] = {}
    shifts = shift_points(plan.study)
    for learner in (*plan.study.learners, *plan.study.baselines):
        for target in plan.study.targets:
            mine: Errors = {}
            for shift in shifts:
                places = [(learner.label, seed, target.label, shift.label, shift.step) for seed in plan.study.seeds]
                if all(p in measured for p in places):
                    mine[shift.label, shift.step] = np.stack([measured[p].error for p in places])
            found[learner.label, target.label] = mine
    return found


def _seeds(measured: Iterable[Measured]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for m in measured:
        label, seed, target, shift, step = _place(m.work)
        axis = m.work.shift.axis or "clean" if m.work.shift else "clean"
        for metric in metrics_of(m.work.shift):
            mean = float(metric.value(m.statistics[metric.name].mean(0)))
            rows.append(
                {"learner": label, "seed": seed, "target": target, "shift": shift, "axis": axis, "step": step}
                | {"metric": metric.name, "mean": mean, "time": m.finished}
            )
    columns = ["learner", "seed", "target", "shift", "axis", "step", "metric", "mean", "time"]
    return pd.DataFrame(rows, columns=columns)


def _summaries(plan: Plan, store: Store, kind: str) -> pd.DataFrame:
    frames = [
        store.table(w.cell.key, "summary").assign(learner=w.learner.label, seed=w.seed)
        for w in plan.work
        if w.cell.kind == kind and store.has(w.cell.key)
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _instances(plan: Plan, store: Store) -> pd.DataFrame:
    tunings = [w for w in plan.work if w.cell.kind == "tune" and store.has(w.cell.key)]
    frames = [
        store.table(w.cell.key, "instances").assign(
            learner=w.learner.label, seed=w.seed, way=w.learner.method.diet().way
        )
        for w in tunings
        if "instances" in store.head(w.cell.key)["protocol"].get("tables", ())
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _costs(plan: Plan, store: Store) -> pd.DataFrame:
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for w in plan.work:
        if not store.has(w.cell.key):
            continue
        costs = store.costs(w.cell.key)
        row = rows.setdefault(
            (w.learner.label, w.seed), {"learner": w.learner.label, "seed": w.seed, "evaluate_passes": 0}
        )
        if w.cell.kind == "train":
            taken = ("train_seconds", "validation_seconds", "images", "validation_passes", "centre_passes")
            row |= {k: costs[k] for k in taken} | {"train_passes": costs["passes"]}
            row["gradient_passes"] = costs.get("gradient_passes", math.nan)  # not counted by earlier versions
        elif w.cell.kind == "evaluate":
            row["evaluate_passes"] += w.passes
            row["flag_passes"] = row.get("flag_passes", 0) + costs.get("flag_passes", 0)
            row["adapt_seconds_per_task"] = costs["adapt_seconds_per_task"]
    return pd.DataFrame(list(rows.values()))


CHECKPOINTS = {
    "source_val": "source_val ({checks} checks)",
    "last": "last",
    "target_oracle": "target_oracle: the best of {checks} checks on {episodes} other clean tasks of each target, mean "
    "over the targets; no one can select like this in practice",
}


def _budget(study: Study) -> str:
    same = f"{study.budget}, the same for every learner and baseline"
    return same if study.budget.reproducible else f"{same}; not reproducible: how far that goes depends on the machine"


def _seen(study: Study) -> dict[str, str]:
    """The shifts that training has shown in part, if there are any."""
    found = {p.label: names for p in shift_points(study) if (names := seen(study.training, p))}
    text = ", ".join(f"{label} (by {', '.join(names)})" for label, names in found.items())
    return {"seen_shift": f"shifts that augmentation resembles: {text}"} if found else {}


def _protocol(plan: Plan, store: Store, baseline: str) -> dict[str, str]:
    study, e, v = plan.study, plan.study.evaluation, plan.study.validation
    backbone = ", ".join(f"{k} {x}" for k, x in study.backbone.model_dump(mode="json").items() if k != "name")
    shapes = dict.fromkeys(f"{s.way}-way {s.shot}-shot, {s.query} queries a class" for s in map(e.at, study.targets))
    facts = {
        "tasks": f"{e.episodes} episodes a target, {' or '.join(shapes)}, "
        f"seed {e.seed}; the same for every learner, baseline and shift",
        "training seeds": ", ".join(map(str, study.seeds)),
        "budget": _budget(study),
        "backbone": f"{study.backbone.name} ({backbone})",
        "images": f"{study.images.size} x {study.images.size} pixels, {study.images.channels} channel(s)",
        "training": f"{study.training}, for all",
        "augmentation": f"{study.training.augmentation}, for all",
        **_seen(study),
        "checkpoint": CHECKPOINTS[v.select].format(checks=v.checks, episodes=v.episodes),
        "selection": f"{v.episodes} {v.way}-way {v.shot}-shot tasks of held-out source classes (split {v.split}); "
        "learners that serve one number of classes are validated on as many",
        "baseline": f"{baseline}: the best of the baselines on source validation" if baseline else "none",
    }
    for w in plan.work:
        if w.cell.kind == "tune" and store.has(w.cell.key) and w.seed == study.seeds[0]:
            chosen = store.head(w.cell.key)["protocol"]["adaptation"]
            facts[f"adaptation of {w.learner.label}"] = (
                ", ".join(f"{k} {x}" for k, x in chosen.items() if k != "name") or "none"
            )
            facts[f"adaptation of {w.learner.label}"] = (
                f"{chosen['name']}: " + facts[f"adaptation of {w.learner.label}"]
            )
    return facts


def _examples(plan: Plan, store: Store) -> dict[tuple[str, str, int], NDArray[np.uint8]]:
    out: dict[tuple[str, str, int], NDArray[np.uint8]] = {}
    for w in plan.work:
        if w.target is None or w.shift is None or not store.has(w.cell.key):
            continue
        place = (w.target.label, w.shift.label, w.shift.step)
        if place not in out:
            out[place] = store.tensors(w.cell.key, "examples")["images"].numpy()
    return out
