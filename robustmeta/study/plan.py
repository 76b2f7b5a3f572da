"""A study as cells: what each is made of, which depend on which, what they cost, and which are there."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

from robustmeta.config.components import Attack, Source
from robustmeta.config.study import Learner, Study, Target
from robustmeta.core import Episodes, StudyError, TaskShape, sample
from robustmeta.shifts.shift import Shift
from robustmeta.store.cells import Cell, Store
from robustmeta.study import costs, further, poisoned
from robustmeta.study.data import Data
from robustmeta.study.pace import pace
from robustmeta.study.shifts import chain_identity, identity, points, tasking_identity
from robustmeta.study.trials import evaluation_shape, rule_for, serves, trials, validation_shape, validation_sources


@dataclass(frozen=True, eq=False)
class Work:
    """A cell with what it takes to compute it. ``target`` and ``shift`` are set where the cell evaluates.

    ``passes``: images that it sends forward through the backbone, beside the ``unit``'s adaptation;
    ``gradient_passes``: those that its training sends backward.
    """

    cell: Cell
    learner: Learner
    seed: int
    passes: int
    target: Target | None = None
    shift: Shift | None = None
    gradient_passes: int = 0

    @property
    def name(self) -> str:
        """How people know the cell, e.g. ``evaluate maml seed 0 digits gaussian_noise 3``."""
        parts = [self.cell.kind, self.learner.label, f"seed {self.seed}"]
        if self.target and self.shift:
            value = f" {self.shift.value:g}" if self.shift.axis else ""
            parts += [self.target.label, self.shift.label + value]
        return " ".join(parts)


@dataclass(frozen=True, eq=False)
class Unit:
    """What an executor runs: cells that share a network, an adaptation and a support view, so that it adapts once."""

    work: tuple[Work, ...]
    shared_passes: int = 0

    @property
    def passes(self) -> int:
        """Images sent forward, sharing included."""
        return self.shared_passes + sum(w.passes for w in self.work)


@dataclass(frozen=True)
class Row:
    """A line of a plan for people."""

    learner: str
    seed: int
    kind: str
    target: str
    shift: str
    step: int
    key: str
    passes: int
    cached: bool
    estimate: bool = False
    """Whether the passes are guessed, and the numbers of no second run will be the same: a budget in seconds."""
    gradient_passes: int = 0
    """Images that training sends backward."""


@dataclass(frozen=True, eq=False)
class Plan:
    """All cells of a study.

    ``units`` stand in an order that respects who reads whom, each cell once; ``work`` has every learner's cells, also
    those that two learners share.
    """

    study: Study
    work: tuple[Work, ...]
    units: tuple[Unit, ...]
    cached: frozenset[str]

    @property
    def missing(self) -> list[Unit]:
        """The units that have something to do, with the cells that are not there."""
        todo = [Unit(tuple(w for w in u.work if w.cell.key not in self.cached), u.shared_passes) for u in self.units]
        return [u for u in todo if u.work]

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all cells."""
        return frozenset(w.cell.key for u in self.units for w in u.work)

    @property
    def rows(self) -> list[Row]:
        """A line a cell; what a unit shares is counted with its first."""
        out: list[Row] = []
        for unit in self.units:
            for i, w in enumerate(unit.work):
                place = (w.target.label, w.shift.label, w.shift.step) if w.target and w.shift else ("", "", 0)
                passes = w.passes + (unit.shared_passes if i == 0 else 0)
                cached = w.cell.key in self.cached
                guess = w.cell.kind == "train" and not self.study.budget.reproducible
                name = (w.learner.label, w.seed, w.cell.kind)
                out.append(Row(*name, *place, w.cell.key, passes, cached, guess, w.gradient_passes))
        return out


def digest(study: Study, keys: frozenset[str]) -> str:
    """The identity of a study: its labels and the keys of its cells."""
    groups = (study.learners, study.baselines, study.targets, study.shifts)
    labels = [study.name, *(item.label for group in groups for item in group)]
    return hashlib.sha256(json.dumps([labels, sorted(keys)]).encode()).hexdigest()


class Planner:
    """Turns a study into units; reads data only as far as keys and counts need."""

    def __init__(self, study: Study, data: Data) -> None:
        self.study, self.data = study, data
        self.validation = validation_sources(study)
        self._check_way()
        self.points = points(study)

    def _episodes(self, sources: list[Source], shape: TaskShape, count: int) -> Episodes:
        return self.data.episodes(sources, shape, self.study.evaluation.seed, count)

    def _validation(self, learner: Learner) -> Episodes:
        return self._episodes(self.validation, validation_shape(self.study, learner), self.study.validation.episodes)

    def _check_way(self) -> None:
        for learner in (*self.study.learners, *self.study.baselines):
            ways = sorted({self.study.evaluation.at(target).way for target in self.study.targets})
            if not any(serves(learner, way) for way in ways):
                raise StudyError(
                    f"learner {learner.label}: {learner.method.name} serves one way only, its train.way, which is "
                    f"{learner.method.diet().way}; the evaluation asks for {', '.join(map(str, ways))}: set train.way "
                    f"to one of these"
                )

    def units(self) -> list[Unit]:
        """All units: first training, then tuning, then evaluation by target (so that its views are used while warm)."""
        pairs = [(le, seed) for le in (*self.study.learners, *self.study.baselines) for seed in self.study.seeds]
        train = [self._train(learner, seed) for learner, seed in pairs]
        tune = [self._tune(t) for t in train]
        out = [Unit((w,)) for w in (*train, *tune)]
        for target in self.study.targets:
            shape = evaluation_shape(self.study, target)
            episodes = self._episodes([target.source], shape, self.study.evaluation.episodes)
            tuned = {(w.learner.label, w.seed): w for w in tune}
            for w in (w for w in tune if serves(w.learner, shape.way)):
                found = {p.through: tuned[p.through, w.seed] for p in self.points if p.through}
                out += self._evaluate(w, target, episodes, found)
        return out

    def _train(self, learner: Learner, seed: int) -> Work:
        study, method, diet = self.study, learner.method, learner.method.diet()
        v, given = rule_for(study, learner), trials(study, learner)
        spec: dict[str, Any] = {
            "method": method.identity(),
            "validate": method.adaptation().identity(),
            "backbone": study.backbone.identity(),
            "images": study.images.model_dump(),
            "sources": [self.data.identity(s.source) for s in study.sources],
            "validation": v.select if v.select == "last" else v.model_dump(),
            "validation_seed": study.evaluation.seed,
            "validation_sources": [self.data.identity(s) for s in self.validation],
            "budget": study.budget.model_dump(),
            "training": study.training.identity(),
            "seed": seed,
            "threads": study.threads,
        }
        if v.select == "target_oracle":
            spec["oracle"] = [[[self.data.identity(s) for s in t.sources], astuple(t.shape)] for t in given]
        domain = self.data.domain([s.source for s in study.sources])
        going = pace(learner.label, method, study.budget, v)
        if not diet.batch:
            sample(domain, TaskShape(diet.way, diet.shot, diet.query), seed, 0, 1)  # enough classes and images?
        tried = [self.data.episodes(t.sources, t.shape, t.seed, v.episodes) for t in given]
        passes, gradients = costs.training(method, going, study.backbone, tried, domain)
        return Work(Cell("train", spec), learner, seed, passes, gradient_passes=gradients)

    def _tune(self, train: Work) -> Work:
        study, learner = self.study, train.learner
        spec = {
            "adaptation": learner.adapt.identity(),
            "grid": learner.tune,
            "validation": rule_for(study, learner).model_dump(exclude={"select", "checks"}),
            "validation_seed": study.evaluation.seed,
            "validation_sources": [self.data.identity(s) for s in self.validation],
        }
        passes = costs.tuning(learner, study.backbone, self._validation(learner), study.evaluation.seed)
        return Work(Cell("tune", spec, (train.cell.key,)), learner, train.seed, passes)

    def _evaluate(self, tune: Work, target: Target, episodes: Episodes, sources: Mapping[str, Work]) -> list[Unit]:
        groups: dict[str, list[Work]] = {}
        adaptation, backbone = tune.learner.adapt, self.study.backbone
        for point in self.points:
            shift, source = _through(point, tune, sources)
            support = json.dumps([tasking_identity(shift.tasking), chain_identity(shift.support)], sort_keys=True)
            spec = {
                "target": self.data.identity(target.source),
                "evaluation": self.study.evaluation.at(target).model_dump(),
                "shift": identity(shift),
                **self._flags(shift),
            }
            parents = (tune.cell.key, source.cell.key) if source else (tune.cell.key,)
            group, some = groups.setdefault(support, []), self.study.flag_episodes
            through = source.learner.adapt if source else None
            passes = costs.point(shift, adaptation, backbone, episodes, some, through)
            if source:
                passes += _adapting(source.learner, target, shift, group, episodes, self.study.images.size)
            noted = _noted(shift, episodes.way)
            group.append(Work(Cell("evaluate", spec, parents), tune.learner, tune.seed, passes, target, noted))
        shared = costs.adapting(adaptation, backbone, episodes)
        return [Unit(tuple(g), shared) for g in groups.values()]

    def _flags(self, shift: Shift) -> dict[str, Any]:
        """What the honesty flags of an attack depend on."""
        if shift.poison:
            return {"flags": {"version": poisoned.VERSION}}
        if not isinstance(shift.attack, Attack):
            return {}
        return {"flags": further.identity(shift.episodes, self.study.flag_episodes)}


def _through(shift: Shift, tune: Work, sources: Mapping[str, Work]) -> tuple[Shift, Work | None]:
    """The shift with a note on what its attack is made through, and that learner's tuning if it is another's."""
    if not shift.through:
        return shift, None
    source = sources[shift.through]
    if source.cell.key == tune.cell.key:
        note = f"made through {shift.through} itself, so it is no transfer here"
        return replace(shift, through="", notes=(*shift.notes, note)), None
    note = f"transfer: made through {shift.through}, adapted to the same supports"
    return replace(shift, notes=(*shift.notes, note)), source


def _adapting(learner: Learner, target: Target, shift: Shift, group: list[Work], episodes: Episodes, side: int) -> int:
    """Images sent forward to adapt the learner that an attack is made through, less what others of a group share.

    Raises:
        StudyError: it serves another number of classes.
    """
    if not serves(learner, episodes.way):
        raise StudyError(
            f"attack {shift.label} goes through {learner.label}, which serves tasks of {learner.method.diet().way} "
            f"classes only; those of {target.label} have {episodes.way}: choose another learner"
        )
    done = max((w.shift.episodes for w in group if w.shift and w.shift.through == shift.through), default=0)
    return costs.source_adapting(learner.adapt, episodes, side, done, shift.episodes)


def _noted(shift: Shift, way: int) -> Shift:
    """The shift with what its attack says of tasks of so many classes."""
    notes = shift.attack.notes(way) if isinstance(shift.attack, Attack) else ()
    return replace(shift, notes=(*shift.notes, *notes)) if notes else shift


def _unique(units: list[Unit]) -> list[Unit]:
    """Cells that two learners share (one network under several adaptations), or two curves, are worked on once."""
    seen: set[str] = set()
    out: list[Unit] = []
    for unit in units:
        work: dict[str, Work] = {}
        for w in unit.work:
            if w.cell.key not in seen:
                work.setdefault(w.cell.key, w)
        seen |= set(work)
        if work:
            out.append(Unit(tuple(work.values()), unit.shared_passes))
    return out


def plan(study: Study, store: Store, data: Data) -> Plan:
    """The plan of a study: what would run, what is there.

    Raises:
        StudyError: the study asks for more classes, images or ways than there are.
        DataError: data is missing or broken.
    """
    units = Planner(study, data).units()
    work = tuple(w for u in units for w in u.work)
    return Plan(study, work, tuple(_unique(units)), frozenset(w.cell.key for w in work if store.has(w.cell.key)))
