"""What a learner's choices are selected among and on, and what it is measured on."""

from dataclasses import dataclass

from robustmeta.config.components import Adaptation, Source
from robustmeta.config.study import Learner, Study, Target, Validation
from robustmeta.core import StudyError, TaskShape
from robustmeta.rng import hash64


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


def choices(learner: Learner) -> list[Adaptation]:
    """The learner's adaptation under each combination of its grid, in a fixed order; itself if there is none."""
    out = [learner.adapt]
    for field, values in learner.tune.items():
        out = [adapt.model_validate({**dict(adapt), field: value}) for adapt in out for value in values]
    return out


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
