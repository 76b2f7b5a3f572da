"""The points of a study as typed rows, in the order of the study, with averages over shifts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from robustmeta.config.attacking import transfers, weaker
from robustmeta.config.poisoning import poisoned
from robustmeta.config.study import Study
from robustmeta.config.tasking import dirty
from robustmeta.shifts.shift import ENSEMBLE, POISON
from robustmeta.store.results import Results

CLEAN, SEVERITY, EPS, FRAMES = "clean", "severity", "eps", "frames"
TASKS, STEPS, TRANSFER = "tasks", "steps", "transfer"
ACCURACY = "accuracy"


@dataclass(frozen=True)
class Number:
    """A mean with its 95% interval, or a difference of two; NaN where a cell has no result."""

    mean: float
    low: float
    high: float

    @property
    def there(self) -> bool:
        """Whether there is a result."""
        return not math.isnan(self.mean)

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval lies above or below 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)

    def overlaps(self, other: "Number") -> bool:
        """Whether the two intervals share a value."""
        return self.low <= other.high and other.low <= self.high


NOTHING = Number(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Scored:
    """A score and its gain over the baseline on the same tasks."""

    score: Number
    gain: Number


@dataclass(frozen=True)
class Flagged:
    """What a honesty flag says of one result; ``seed`` names the training seed where there are several."""

    name: str
    status: str
    text: str
    seed: str


@dataclass(frozen=True)
class Point:
    """One learner on one target at one point of one shift, by one metric.

    ``condition`` says what is averaged together: the axis, or ``TASKS`` for a dirty support, whose pixels are clean,
    ``STEPS`` for an attack that is also measured with more of them, ``TRANSFER`` for one made through a learner of the
    study, ``POISON`` for one on the support, ``ENSEMBLE`` for the worst of several attacks.
    """

    learner: str
    target: str
    shift: str
    place: str
    axis: str
    condition: str
    step: int
    strength: float
    metric: str
    scored: Scored
    notes: tuple[str, ...]
    flags: tuple[Flagged, ...] = ()

    @property
    def where(self) -> str:
        """The shift and its strength, for people."""
        return self.shift if self.axis == CLEAN else f"{self.shift} {self.axis} {self.strength:g}"


def average(parts: Sequence[Scored]) -> Scored:
    """The mean over shifts; NaN if one of them has no result, so that only like is compared with like.

    The interval is the mean of the intervals: as sd(Σxᵢ/n) ≤ Σsd(xᵢ)/n it is never narrower than that of the mean,
    and close to it, because the same tasks serve every shift.
    """

    def mean(numbers: Sequence[Number]) -> Number:
        return Number(*(sum(getattr(n, k) for n in numbers) / len(numbers) for k in ("mean", "low", "high")))

    return Scored(mean([p.score for p in parts]), mean([p.gain for p in parts]))


@dataclass(frozen=True, eq=False)
class Findings:
    """The points of a study, in the order of the study.

    Attributes:
        learners: all labels, baselines last.
        meta: those that are not baselines.
        baseline: the one that gains refer to, or "".
        transductive: learners whose answer to a query depends on the other queries. A gain over a baseline of the other
            kind is left out of ``points``.
    """

    points: tuple[Point, ...]
    learners: tuple[str, ...]
    meta: frozenset[str]
    baseline: str
    transductive: frozenset[str]

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Labels of the targets."""
        return tuple(dict.fromkeys(p.target for p in self.points))

    def at(self, target: str) -> tuple[str, ...]:
        """The learners that are measured on a target, baselines last; one of a fixed way may serve others only."""
        return tuple(n for n in self.learners if (ACCURACY, target, n) in self._index)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(dict.fromkeys(p.metric for p in self.points))

    @cached_property
    def _index(self) -> Mapping[tuple[str, str, str], tuple[Point, ...]]:
        groups: dict[tuple[str, str, str], list[Point]] = {}
        for p in self.points:
            groups.setdefault((p.metric, p.target, p.learner), []).append(p)
        return {key: tuple(group) for key, group in groups.items()}

    def of(self, learner: str, target: str, metric: str = ACCURACY, condition: str = "") -> tuple[Point, ...]:
        """The points of a learner on a target, under one condition if given."""
        return tuple(p for p in self._index.get((metric, target, learner), ()) if condition in ("", p.condition))

    def over(self, learner: str, target: str, condition: str, metric: str = ACCURACY) -> Scored:
        """The average under a condition, each shift counting once whatever its points; NaN without any."""
        shifts: dict[str, list[Scored]] = {}
        for p in self.of(learner, target, metric, condition):
            shifts.setdefault(p.shift, []).append(p.scored)
        return average([average(points) for points in shifts.values()]) if shifts else Scored(NOTHING, NOTHING)

    def worst(self, learner: str, target: str) -> Point:
        """The point of lowest accuracy under any shift, or the first one without a result. The study has shifts."""
        found = [p for p in self.of(learner, target) if p.axis != CLEAN]
        missing = [p for p in found if not p.scored.score.there]
        return missing[0] if missing else min(found, key=lambda p: p.scored.score.mean)

    def kinds(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Learners by what a query's answer may depend on; learners of two kinds are never ranked together."""
        split = {
            "inductive": tuple(n for n in self.learners if n not in self.transductive),
            "transductive": tuple(n for n in self.learners if n in self.transductive),
        }
        return tuple((kind, names) for kind, names in split.items() if names)

    def comparable(self, learner: str) -> bool:
        """Whether a learner is of the baseline's kind."""
        return bool(self.baseline) and (learner in self.transductive) == (self.baseline in self.transductive)


def findings(results: Results) -> Findings:
    """The points of a study's results."""
    frame, study = results.points, results.study
    transductive = frozenset(str(n) for n in frame.loc[frame["transductive"].astype(bool), "learner"])
    baseline = next((str(b) for b in frame["baseline"] if b), "")
    if not baseline and len(study.baselines) == 1 and not study.learners:
        baseline = study.baselines[0].label
    roles = dict(zip(frame["learner"].astype(str), frame["role"], strict=True))
    learners = [one.label for one in (*study.learners, *study.baselines) if one.label in roles]
    across = transductive if baseline not in transductive else frozenset(roles) - transductive
    condition = frame["axis"].mask(frame["shift"].isin([*dirty(study.shifts)]), TASKS)
    condition = condition.mask(frame["shift"].isin([*poisoned(study.shifts)]), POISON)
    condition = condition.mask(frame["shift"].isin([*transfers(study.shifts)]), TRANSFER)
    condition = condition.mask(frame["shift"].isin([*weaker(study.shifts)]), STEPS)
    frame = frame.assign(condition=condition.mask(frame["shift_family"] == ENSEMBLE, ENSEMBLE))
    rows = [row for row in frame.to_dict("records") if row["axis"] != FRAMES]  # stability has a table of its own
    flags = _flags(results)
    made = [_point(row, across, study) for row in rows]
    points = tuple(replace(p, flags=flags.get((p.learner, p.target, p.shift, p.step), ())) for p in made)
    return Findings(
        points, tuple(learners), frozenset(n for n in roles if roles[n] != "baseline"), baseline, transductive
    )


def _flags(results: Results) -> dict[tuple[str, str, str, int], tuple[Flagged, ...]]:
    """(learner, target, shift, step) -> the honesty flags of all training seeds."""
    found: dict[tuple[str, str, str, int], list[Flagged]] = {}
    columns = ["learner", "target", "shift", "step", "seed", "flag", "status", "text"]
    for *place, seed, name, status, text in results.flags[columns].itertuples(index=False, name=None):
        one = Flagged(name, status, text, f"seed {seed}" * (len(results.study.seeds) > 1))
        found.setdefault((place[0], place[1], place[2], place[3]), []).append(one)
    return {place: tuple(flags) for place, flags in found.items()}


def _point(row: Mapping[Any, Any], across: frozenset[str], study: Study) -> Point:
    gain = NOTHING if row["learner"] in across else Number(row["gain"], row["gain_low"], row["gain_high"])
    return Point(
        learner=row["learner"],
        target=row["target"],
        shift=row["shift"],
        place=row["place"],
        axis=row["axis"],
        condition=row["condition"],
        step=int(row["step"]),
        strength=float(row[row["axis"]]) if row["axis"] != CLEAN else 0.0,
        metric=row["metric"],
        scored=Scored(Number(row["mean"], row["low"], row["high"]), gain),
        notes=(*filter(None, row["notes"].split("; ")), *_coverage(row["n_episodes"], row["n_seeds"], study)),
    )


def _coverage(episodes: int, seeds: int, study: Study) -> list[str]:
    """What a reader must know of a number that rests on less than the others; nothing for one that is not there."""
    some = [f"on the first {episodes} of {study.evaluation.episodes} tasks"] * (episodes < study.evaluation.episodes)
    return (some + [f"over {seeds} of {len(study.seeds)} training seeds"] * (seeds < len(study.seeds))) if seeds else []
