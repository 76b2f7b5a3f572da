"""Run what is missing of a plan. Running again is how one resumes: cells that are there are not computed."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from robustmeta import memory
from robustmeta.config.components import Adaptation, EmbeddingAdaptation
from robustmeta.config.find import build
from robustmeta.config.study import Learner, Study, Target
from robustmeta.core import CellError, DataError, Domain, Episodes, StudyError
from robustmeta.rng import Rng
from robustmeta.shifts.shift import TaskStage
from robustmeta.store.cells import Store, StoreError
from robustmeta.store.partial import Partials
from robustmeta.store.results import Outcome
from robustmeta.study.costs import queried
from robustmeta.study.data import Data
from robustmeta.study.distributed import SOLO, Crew, Team, alone, expect_apart, join
from robustmeta.study.evaluate import Bench, Embeddings, Point, Source, Tables, evaluate
from robustmeta.study.network import build as build_network
from robustmeta.study.network import load
from robustmeta.study.plan import Plan, Unit, Work
from robustmeta.study.train import Loop
from robustmeta.study.trials import Trial, evaluation_shape, source_trial, trials
from robustmeta.study.validate import Validator, tune

Advance = Callable[[int], None]
log = logging.getLogger(__name__)


class Progress(Protocol):
    """What is told of a run while it goes on; work is measured in images sent forward."""

    def start(self, total_passes: int, cached: int, planned: int) -> None:
        """Before the first cell."""

    def begin(self, cell: str, passes: int) -> None:
        """A cell, or cells that are computed together, begins."""

    def advance(self, passes: int) -> None:
        """So many images have been sent forward."""

    def end(self, cell: str, error: str | None) -> None:
        """It is stored, or it failed."""


class Silent:
    """Progress that nobody watches."""

    def start(self, total_passes: int, cached: int, planned: int) -> None:
        """Say nothing."""

    def begin(self, cell: str, passes: int) -> None:
        """Say nothing."""

    def advance(self, passes: int) -> None:
        """Say nothing."""

    def end(self, cell: str, error: str | None) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Done:
    """How a cell ended; ``error`` is "" if it is stored."""

    name: str
    error: str


class Executor(Protocol):
    """Runs units, in this process or elsewhere; a unit's parents come before it."""

    def run(self, units: Iterable[Unit], work: Callable[[Unit], list[Done]]) -> Iterator[Done]:
        """How each cell ended, as it ends."""
        ...


class Inline:
    """One unit after the other, in this process."""

    def run(self, units: Iterable[Unit], work: Callable[[Unit], list[Done]]) -> Iterator[Done]:
        """How each cell ended, as it ends."""
        for unit in units:
            yield from work(unit)


def execute(plan: Plan, store: Store, data: Data, progress: Progress, executor: Executor | None = None) -> Outcome:
    """Compute the missing cells. A cell that fails is named and the others go on.

    Raises:
        StoreError: the store cannot be written.
        KeyboardInterrupt: as it came; what is stored stays and the next run goes on from there.
    """
    memory.keep()
    store.prepare()
    Partials(store).tidy()
    trainings = {u.work[0].cell.key: u.work[0] for u in plan.units if u.work[0].cell.kind == "train"}
    crew = Crew(join(), list(trainings))
    worker = Worker(plan.study, store, data, progress, crew)
    if crew.team.rank:
        for key in crew.called():
            worker.help(trainings[key])
        return Outcome(len(plan.keys), len(plan.cached), 0, {})
    units = plan.missing
    progress.start(sum(u.passes for u in units), len(plan.cached), len(plan.keys))
    ended = list((executor or Inline()).run(units, worker.run))
    crew.dismiss()
    failures = {d.name: d.error for d in ended if d.error}
    return Outcome(len(plan.keys), len(plan.cached), len(ended) - len(failures), failures)


class Worker:
    """Computes units of one study; holds the domains, views and features that consecutive units share."""

    def __init__(self, study: Study, store: Store, data: Data, progress: Progress, crew: Crew | None = None) -> None:
        self.study, self.store, self.data, self.progress = study, store, data, progress
        self.crew = crew or Crew(SOLO, [])
        self._features: tuple[str, Tables] = ("", {})

    def run(self, unit: Unit) -> list[Done]:
        """Compute the cells of a unit and store each."""
        name = unit.work[0].name + (f" and {len(unit.work) - 1} more" if len(unit.work) > 1 else "")
        self.progress.begin(name, unit.passes)
        with self._threads():
            ended = self._run(unit)
        self.progress.end(name, next((d.error for d in ended if d.error), None))
        return ended

    def _run(self, unit: Unit) -> list[Done]:
        lost = [w for w in unit.work if not all(map(self.store.has, w.cell.parents))]
        if lost:
            failed = [Done(w.name, "what it builds on failed") for w in lost]
            rest = tuple(w for w in unit.work if w not in lost)
            return failed + (self._run(replace(unit, work=rest)) if rest else [])
        first = unit.work[0]
        if first.cell.kind != "train":
            self.crew.dismiss()  # no training comes after
        step = {"train": self._train, "tune": self._tune, "evaluate": self._evaluate}[first.cell.kind]
        try:
            return step(unit)
        except StoreError:
            raise
        except Exception as error:  # a component's fault must not cost the other cells
            log.debug("%s failed", first.name, exc_info=True)
            expected = isinstance(error, CellError | DataError | StudyError)
            return [Done(w.name, str(error) if expected else f"{type(error).__name__}: {error}") for w in unit.work]

    def _train(self, unit: Unit) -> list[Done]:
        (work,) = unit.work
        validators = [self._validating(trial) for trial in trials(self.study, work.learner)]
        team, partials = self._team(work), Partials(self.store)
        loop = Loop(work, self.study, self._source(), validators, self.progress.advance, partials, team)
        self.store.write(work.cell, loop.run())
        partials.discard(work.cell.key)
        return [Done(work.name, "")]

    def _team(self, work: Work) -> Team:
        """The team that trains a network; the others of it are called, unless it is trained by this process alone.

        Raises:
            CellError: several processes cannot train it to the same numbers.
        """
        team, method = self.crew.team, work.learner.method
        if team.size == 1:
            return team
        if alone(method):
            log.warning("%s: a step has no tasks to share; process 0 trains it alone", work.name)
            return SOLO
        expect_apart(method, build_network(self.study, work.learner, work.seed, len(self._source().classes)))
        self.crew.call(work.cell.key)
        return team

    def help(self, work: Work) -> None:
        """Take part in a training that process 0 leads. A failure of all is told there; one of this process, here."""
        team, partials = self.crew.team, Partials(self.store)
        with self._threads():
            try:
                Loop(work, self.study, self._source(), (), lambda _: None, partials, team).run()
            except CellError as error:
                log.debug("%s: %s", work.name, error)
            except Exception:
                log.exception("%s failed in process %d", work.name, team.rank)

    @contextmanager
    def _threads(self) -> Generator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(self.study.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _tune(self, unit: Unit) -> list[Done]:
        (work,) = unit.work
        net = self._network(work, work.cell.parents[0])
        validator = self._validating(source_trial(self.study, work.learner))
        self.store.write(work.cell, tune(work, net, validator, self.progress.advance))
        return [Done(work.name, "")]

    def _source(self) -> Domain:
        return self.data.domain([s.source for s in self.study.sources])

    def _network(self, work: Work, train_key: str) -> torch.nn.Module:
        return load(self.study, work.learner, len(self._source().classes), self.store, train_key)

    def _validating(self, trial: Trial) -> Validator:
        episodes = self.data.episodes(trial.sources, trial.shape, trial.seed, self.study.validation.episodes)
        return Validator(self.data.domain(trial.sources), episodes, trial.seed, self.study.backbone)

    def _evaluate(self, unit: Unit) -> list[Done]:
        bench = replace(self._bench(unit.work[0]), sources=self._sources(unit))
        ready: list[tuple[Work, Point]] = []
        ended: list[Done] = []
        for work in unit.work:
            try:
                ready.append((work, self._point(work, bench)))
            except CellError as error:  # this corruption fails; the others of the unit go on
                ended.append(Done(work.name, str(error)))
        return ended + self._score(bench, ready)

    def _score(self, bench: Bench, ready: list[tuple[Work, Point]]) -> list[Done]:
        try:
            contents = evaluate(bench, [point for _, point in ready], self.progress.advance)
        except CellError as error:
            if len(ready) == 1:
                return [Done(ready[0][0].name, str(error))]
            return [done for pair in ready for done in self._score(bench, [pair])]
        for (work, _), content in zip(ready, contents, strict=True):
            self.store.write(work.cell, content)
        return [Done(work.name, "") for work, _ in ready]

    def _point(self, work: Work, bench: Bench) -> Point:
        if work.target is None or work.shift is None:
            raise ValueError(f"{work.name} evaluates nothing")
        episodes = self._episodes(work.target)
        query = self.data.view(work.target.source, work.shift.query, bench.seed, episodes.rows())
        sequence = work.shift.sequence
        if not sequence:
            return Point(work.shift, query)
        rows = queried(episodes, work.shift)
        return Point(work.shift, query, self.data.frames(work.target.source, sequence, bench.seed, rows), rows)

    def _episodes(self, target: Target) -> Episodes:
        evaluation = self.study.evaluation
        shape = evaluation_shape(self.study, target)
        return self.data.episodes([target.source], shape, evaluation.seed, evaluation.episodes)

    def _bench(self, work: Work) -> Bench:
        if work.target is None or work.shift is None:
            raise ValueError(f"{work.name} evaluates nothing")
        evaluation, tune_key = self.study.evaluation, work.cell.parents[0]
        head = self.store.head(tune_key)
        net = self._network(work, head["parents"][0])
        adaptation = build("adaptations", Adaptation, head["protocol"]["adaptation"])
        domain = self.data.domain([work.target.source])
        episodes = self._episodes(work.target)
        support = self.data.view(work.target.source, work.shift.support, evaluation.seed, episodes.rows())
        embeddings = None
        if isinstance(adaptation, EmbeddingAdaptation) and self.study.backbone.alone():
            tables = self._tables(f"{head['parents'][0]} {work.target.label}")
            embeddings = Embeddings(net, adaptation, episodes.rows(), tables)
        given = _tasked(episodes, work.shift.tasking, evaluation.seed)
        return Bench(net, adaptation, domain, given, support, evaluation.seed, embeddings, self.study.flag_episodes)

    def _sources(self, unit: Unit) -> dict[str, Source]:
        """The other learners that attacks of a unit are made through."""
        keys = {w.shift.through: w.cell.parents[1] for w in unit.work if w.shift and len(w.cell.parents) > 1}
        everyone = {one.label: one for one in (*self.study.learners, *self.study.baselines)}
        return {label: self._tuned(everyone[label], key) for label, key in keys.items()}

    def _tuned(self, learner: Learner, tune_key: str) -> Source:
        """A learner's network, and the adaptation that was chosen for it."""
        head = self.store.head(tune_key)
        net = load(self.study, learner, len(self._source().classes), self.store, head["parents"][0])
        return Source(net, build("adaptations", Adaptation, head["protocol"]["adaptation"]))

    def _tables(self, network_and_target: str) -> Tables:
        if self._features[0] != network_and_target:
            self._features = (network_and_target, {})
        return self._features[1]


def _tasked(episodes: Episodes, stages: tuple[TaskStage, ...], seed: int) -> Episodes:
    """The episodes after taskings in order, each keyed by the episode's number."""
    for place, stage in enumerate(stages):
        rng = Rng(seed, ("tasking", stage.tasking.name, place), episodes.number)
        episodes = stage.tasking(episodes, stage.level, rng)
    return episodes
