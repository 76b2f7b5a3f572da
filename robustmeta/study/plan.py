"""A study as cells: what each is made of, which depend on which, what they cost, and which are there."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustmeta.config.components import Adaptation, Attack, Backbone, Certificate, EmbeddingAdaptation, Source
from robustmeta.config.study import Learner, Study, Target, Validation
from robustmeta.core import Episodes, StudyError, TaskShape, sample
from robustmeta.rng import hash64
from robustmeta.shifts.shift import Shift
from robustmeta.store.cells import Cell, Store
from robustmeta.study import draws, further, permute, poisoned
from robustmeta.study.centre import centre_passes
from robustmeta.study.data import Data
from robustmeta.study.evaluate import chunks
from robustmeta.study.pace import pace
from robustmeta.study.shifts import chain_identity, identity, points, tasking_identity


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


def validation_sources(study: Study) -> list[Source]:
    """The held-out classes of the sources: the same domains with the split of validation.

    Raises:
        StudyError: a source has no splits.
    """
    out: list[Source] = []
    for target in study.sources:
        fields = dict(target.source)
        if "split" not in fields:
            raise StudyError(f"source {target.label}: {target.source.name} has no split to validate on")
        out.append(target.source.model_validate({**fields, "split": study.validation.split}))
    return out


def evaluation_shape(study: Study, target: Target) -> TaskShape:
    """The shape of the tasks that learners are measured on in a target."""
    tasks = study.evaluation.at(target)
    return TaskShape(tasks.way, tasks.shot, tasks.query)


def rule_for(study: Study, learner: Learner) -> Validation:
    """How a learner's choices are selected: one that serves one number of classes is validated on as many."""
    method, rule = learner.method, study.validation
    return rule.model_copy(update={"way": method.diet().way}) if method.traits.fixed_way else rule


def validation_shape(study: Study, learner: Learner) -> TaskShape:
    """The shape of the tasks that a learner's choices are selected on."""
    rule = rule_for(study, learner)
    return TaskShape(rule.way, rule.shot, rule.query)


def serves(learner: Learner, way: int) -> bool:
    """Whether a learner can be measured on tasks of that many classes."""
    return not learner.method.traits.fixed_way or learner.method.diet().way == way


@dataclass(frozen=True)
class Trial:
    """Tasks that checkpoints are selected on."""

    sources: tuple[Source, ...]
    shape: TaskShape
    seed: int


def source_trial(study: Study, learner: Learner) -> Trial:
    """Tasks of held-out source classes, on which test-time choices are selected, and checkpoints mostly."""
    return Trial(tuple(validation_sources(study)), validation_shape(study, learner), study.evaluation.seed)


def trials(study: Study, learner: Learner) -> list[Trial]:
    """What a learner's checkpoints are selected on: held-out source classes, or, as an oracle, each of its targets.

    The oracle's tasks are others than those of the evaluation, of the same images.
    """
    if study.validation.select != "target_oracle":
        return [source_trial(study, learner)]
    seed = hash64("target_oracle", study.evaluation.seed) % 2**31
    shapes = [(target, evaluation_shape(study, target)) for target in study.targets]
    return [Trial((target.source,), shape, seed) for target, shape in shapes if serves(learner, shape.way)]


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
        checking = sum(measuring_passes(method.adaptation(), study.backbone, episodes) for episodes in tried)
        passes = going.steps * method.passes() + going.checks * checking + centre_passes(method, domain)
        gradients = going.steps * method.gradient_passes()
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
        tried = choices(learner)[:1] if embedded(learner.adapt, study.backbone) else choices(learner)
        episodes = self._validation(learner)
        passes = sum(measuring_passes(adapt, study.backbone, episodes) for adapt in tried)
        if not (permute.free(learner.method.traits) or embedded(learner.adapt, study.backbone)):
            again = permute.permuted(episodes, learner.method.traits, study.evaluation.seed)
            passes += measuring_passes(learner.adapt, study.backbone, again)
        return Work(Cell("tune", spec, (train.cell.key,)), learner, train.seed, passes)

    def _evaluate(self, tune: Work, target: Target, episodes: Episodes, sources: Mapping[str, Work]) -> list[Unit]:
        groups: dict[str, list[Work]] = {}
        embeds = embedded(tune.learner.adapt, self.study.backbone)
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
            cell, passes = Cell("evaluate", spec, parents), self._cost(shift, tune.learner.adapt, episodes, embeds)
            group, noted = groups.setdefault(support, []), _noted(shift, episodes.way)
            if source:
                passes += _adapting(source.learner, target, shift, group, episodes)
            group.append(Work(cell, tune.learner, tune.seed, passes, target, noted))
        adapting = 0 if embeds else tune.learner.adapt.passes(episodes.shape, len(episodes))
        return [Unit(tuple(g), adapting) for g in groups.values()]

    def _flags(self, shift: Shift) -> dict[str, Any]:
        """What the honesty flags of an attack depend on."""
        if shift.poison:
            return {"flags": {"version": poisoned.VERSION}}
        if not isinstance(shift.attack, Attack):
            return {}
        return {"flags": further.identity(shift.episodes, self.study.flag_episodes)}

    def _cost(self, shift: Shift, adaptation: Adaptation, episodes: Episodes, embeds: bool) -> int:
        queries, tasks = episodes.query[: shift.episodes].numel(), min(shift.episodes, len(episodes))
        if shift.poison:
            return poisoned.passes(adaptation, shift, episodes.shape, tasks)[0]
        if shift.worst:
            return draws.passes(adaptation, shift, episodes.shape, tasks)
        if shift.sequence:
            return shift.sequence.frames * (len(queried(episodes, shift)) if embeds else queries)
        if isinstance(shift.certificate, Certificate):
            return queries * shift.certificate.passes()
        if isinstance(shift.attack, Attack):
            images, some, transferred = episodes.query.shape[1], self.study.flag_episodes, bool(shift.through)
            flags = further.passes(shift.attack, episodes.way, images, tasks, some, transferred=transferred)
            return queries * (shift.attack.passes(episodes.way) + 1) + flags
        if not embeds:
            return queries
        views = len({json.dumps(chain_identity(c), sort_keys=True) for c in (shift.support, shift.query)} - {"[]"})
        return len(episodes.rows()) * (views if shift.support or shift.query else 1)


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


def _adapting(learner: Learner, target: Target, shift: Shift, group: list[Work], episodes: Episodes) -> int:
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
    new = [rows for rows in chunks(episodes) if done <= rows.start < shift.episodes]
    return sum(learner.adapt.passes(episodes.shape, rows.stop - rows.start) for rows in new)


def _noted(shift: Shift, way: int) -> Shift:
    """The shift with what its attack says of tasks of so many classes."""
    notes = shift.attack.notes(way) if isinstance(shift.attack, Attack) else ()
    return replace(shift, notes=(*shift.notes, *notes)) if notes else shift


def choices(learner: Learner) -> list[Adaptation]:
    """The learner's adaptation under each combination of its grid, in a fixed order; itself if there is none."""
    out = [learner.adapt]
    for field, values in learner.tune.items():
        out = [adapt.model_validate({**dict(adapt), field: value}) for adapt in out for value in values]
    return out


def queried(episodes: Episodes, shift: Shift) -> NDArray[np.int64]:
    """The rows that the queries of a shift's tasks use, each once, in order."""
    return np.unique(episodes.query[: shift.episodes].numpy())


def embedded(adaptation: Adaptation, backbone: Backbone) -> bool:
    """Whether a whole domain is embedded once: features are fixed, and an image's depend on it alone."""
    return isinstance(adaptation, EmbeddingAdaptation) and backbone.alone()


def measuring_passes(adaptation: Adaptation, backbone: Backbone, episodes: Episodes) -> int:
    """Images sent through the backbone to measure an adaptation on a clean domain."""
    if embedded(adaptation, backbone):
        return len(episodes.rows())
    return adaptation.passes(episodes.shape, len(episodes)) + episodes.query.numel()


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
