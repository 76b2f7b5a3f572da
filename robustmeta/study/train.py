"""The one training loop: under a budget, selected by checks, going on where a killed run stopped."""

import math
import time
from collections.abc import Callable, Sequence
from statistics import fmean

import pandas as pd

from robustmeta.config.study import Study
from robustmeta.core import CellError, Domain, StepStats, copy_state
from robustmeta.functional.schedules import share
from robustmeta.rng import Rng
from robustmeta.store.cells import Content
from robustmeta.store.partial import Partials, ignored
from robustmeta.study.augment import augmenter
from robustmeta.study.centre import centre_passes, set_centre
from robustmeta.study.costs import measuring
from robustmeta.study.course import Course
from robustmeta.study.distributed import SOLO, Team
from robustmeta.study.network import build
from robustmeta.study.pace import pace
from robustmeta.study.plan import Work
from robustmeta.study.precision import forward_passes
from robustmeta.study.sampler import batch
from robustmeta.study.validate import Validator

LOGGED_STEPS = 100
MINUTE = 60.0
HISTORY = ("step", "images", "loss", "rate", "gradient_norm", "val_accuracy")
Advance = Callable[[int], None]


class Loop:
    """The training of one network, which keeps the checkpoint that the selection rule names.

    ``validators`` measure a checkpoint, whose accuracy is their mean. ``partials`` keep what a killed run goes on from.
    """

    def __init__(
        self,
        work: Work,
        study: Study,
        domain: Domain,
        validators: Sequence[Validator],
        advance: Advance,
        partials: Partials | None = None,
        team: Team = SOLO,
    ) -> None:
        self.work, self.study, self.domain, self.validators = work, study, domain, validators
        self.advance, self.partials, self.team = advance, partials, team
        self.method, self.training, self.rule = work.learner.method, study.training, study.validation
        self.pace = pace(work.learner.label, self.method, study.budget, self.rule)
        self.schedule = self.training.schedule or self.method.schedule
        self.augment = augmenter(self.training)
        self.every = max(1, self.pace.steps // LOGGED_STEPS)
        self.course = self._begun()
        self.record, self.saved = self.course.record, time.perf_counter()

    def _new(self) -> Course:
        net = build(self.study, self.work.learner, self.work.seed, len(self.domain.classes))
        return Course(net, self.method.optimiser(net))

    def _begun(self) -> Course:
        """The course that a checkpoint holds, where there is one and all processes have it; else a new one."""
        key, course = self.work.cell.key, self._new()
        partial = self.partials.load(key) if self.partials else None
        if self.partials and partial:
            try:
                course.resume(partial)
            except Exception as error:  # whatever it is that does not fit
                ignored(self.partials.path(key), error)
                course = self._new()
        return course if self.team.agree(course.record.step) else self._new()

    def run(self) -> Content:
        """Train to the end.

        Raises:
            CellError: the loss became NaN or infinite, or every check did; the message says when.
        """
        record, patience = self.record, self.training.early_stop or math.inf
        self.advance(record.passes + record.measured)
        if not self.pace.steps:
            self._checked()
        while self.pace.progress(record.step, record.training) < 1 and record.stale < patience:
            self._step()
            if self.partials and self.team.rank == 0 and self._worth_saving():
                self.partials.save(self.work.cell.key, self.course.partial())
                self.saved = time.perf_counter()
        if not self.course.best:
            raise CellError(
                f"{self.method.adaptation().name} diverged at every check ({self.rule.select}); lower the inner rate"
            )
        return self._content()

    def _worth_saving(self) -> bool:
        every = self.training.save_every
        return self.record.step % every == 0 if every else time.perf_counter() - self.saved > MINUTE

    def _step(self) -> None:
        record, clock = self.record, time.perf_counter()
        progress = self.pace.progress(record.step, record.training)
        rate = self.course.set_rate(share(self.schedule, progress, self.training.warmup))
        self.course.optimiser.zero_grad(set_to_none=True)
        stats = self.team.backward(self.course.net, self.method.diet(), lambda tasks: self._backward(tasks, progress))
        if not math.isfinite(stats.loss):
            raise CellError(
                f"the loss became {stats.loss} at step {record.step + 1} of {self.pace.steps}; "
                f"the last finite loss was {record.loss:.4g}"
            )
        norm = self.course.step(self.training.clip, self.training.weight_decay)
        record.step, record.loss, record.passes = record.step + 1, stats.loss, record.passes + stats.passes
        record.gradient_passes += stats.gradient_passes
        record.training += time.perf_counter() - clock
        if self.pace.seconds:
            record.training = self.team.shared(record.training)
        self.advance(stats.passes)
        self._note(stats.loss, rate, norm)

    def _backward(self, tasks: slice, progress: float) -> StepStats:
        step, net = self.record.step, self.course.net
        meal = batch(self.domain, self.method.diet(), self.work.seed, step, self.augment, tasks)
        with forward_passes(net, self.training.precision):
            return self.method.backward(net, meal, Rng(self.work.seed, ("train",), [step]), progress)

    def _note(self, loss: float, rate: float, norm: float) -> None:
        """Make the check that is due, and a row of the history where there was one or it is time."""
        record, accuracy = self.record, math.nan
        due = self.pace.due(record.step, record.training)
        if due > record.checks:
            accuracy = self._checked()
        if due > record.checks or (record.step - 1) % self.every == 0:
            images = record.step * self.method.diet().images
            record.curve.append([record.step, images, loss, rate, norm, accuracy])
        record.checks = due

    def _checked(self) -> float:
        """The accuracy of the network as it is; it is kept where that is the best so far."""
        record, clock, adaptation = self.record, time.perf_counter(), self.method.adaptation()
        accuracy = self.team.measured(
            lambda: fmean(v.accuracy(self.course.net, [adaptation])[0] for v in self.validators)
        )
        if accuracy > record.best or self.rule.select == "last":
            self.course.keep(accuracy)
        else:
            record.stale += 1
        passes = sum(measuring(adaptation, self.study.backbone, v.episodes) for v in self.validators)
        record.measuring, record.measured = record.measuring + time.perf_counter() - clock, record.measured + passes
        self.advance(passes)
        return accuracy

    def _content(self) -> Content:
        record, net, clock = self.record, self.course.net, time.perf_counter()
        net.load_state_dict(self.course.best)
        set_centre(net, self.method, self.domain)
        centring, passes = time.perf_counter() - clock, centre_passes(self.method, self.domain)
        self.advance(passes)
        protocol = {
            "classes": len(self.domain.classes),
            "selection": self.rule.select,
            "selected_step": record.chosen,
            "steps": record.step,
            "stopped_early": self.pace.progress(record.step, record.training) < 1,
            "val_accuracy": record.best,
            "images_a_step": self.method.diet().images,
            "augmentation": self.training.augmentation,
            "precision": self.training.precision,
            "budget": self.study.budget.model_dump(),
            "reproducible": self.study.budget.reproducible,
        }
        costs = {
            "train_seconds": record.training,
            "validation_seconds": record.measuring,
            "seconds": record.training + record.measuring + centring,
            "images": record.step * self.method.diet().images,
            "passes": record.passes,
            "gradient_passes": record.gradient_passes,
            "validation_passes": record.measured,
            "centre_passes": passes,
            "finished": time.time(),
        }
        history = pd.DataFrame(record.curve, columns=list(HISTORY))
        return Content({"summary": history}, {"model": copy_state(net)}, protocol, costs)
