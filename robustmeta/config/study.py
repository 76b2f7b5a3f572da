"""A study: what is trained, on what, and under which shifts it is measured. One YAML file, one frozen model."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    PlainValidator,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from robustmeta.config.attacking import AttackShift
from robustmeta.config.augmenting import unfit
from robustmeta.config.components import (
    Adaptation,
    Backbone,
    Component,
    Frozen,
    Method,
    Source,
    attempt,
    nested,
    wrong,
)
from robustmeta.config.entry import ShiftEntry
from robustmeta.config.find import build, find, named
from robustmeta.config.flags import Flags
from robustmeta.config.labels import Described, Label, Name, label_all, unique
from robustmeta.config.shifts import shift_entry
from robustmeta.config.training import Budget, Training
from robustmeta.registry import unknown


class Canvas(Frozen):
    """The size of all images of a study, in pixels, and their channels: 1 (gray) or 3 (RGB)."""

    size: int = Field(default=28, ge=8, le=512)
    channels: Literal[1, 3] = 1


class _Labelled(Frozen):
    label: Label = ""


class _Shape(Frozen):
    way: int | None = Field(default=None, ge=2)
    shot: int | None = Field(default=None, ge=1)
    query: int | None = Field(default=None, ge=1)


class Placed(Frozen):
    """A domain under a label."""

    label: Label = ""
    source: SerializeAsAny[Source]

    beside: ClassVar[type[Frozen]] = _Labelled
    """The fields that stand beside those of the domain."""

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "source" in value:
            return value
        fields, own = dict(value), cls.beside.model_fields
        beside = {k: fields.pop(k) for k in own if k in fields}
        source, _ = attempt(
            ((), lambda: build("domains", Source, fields, beside=tuple(own))),
            ((), lambda: cls.beside.model_validate(beside)),
        )
        return {"source": source, **beside}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        source = whole.pop("source")
        return {k: v for k, v in whole.items() if v is not None} | source


class _Place(_Labelled, _Shape):
    pass


class Target(Placed, _Shape):
    """A domain under a label, with a shape of tasks of its own where it differs from the evaluation's.

    Learners that serve one number of classes are not measured on targets with another.
    """

    beside: ClassVar[type[Frozen]] = _Place


class Validation(Frozen):
    """Tasks of held-out source classes, on which checkpoints and test-time choices are selected.

    ``select: source_val`` keeps the best of ``checks`` checkpoints; ``last`` keeps the last. ``target_oracle`` keeps
    the best on as many clean tasks of each target (mean over targets), which no one has in practice: it bounds what
    selection can bring, and is named wherever its numbers appear. Test-time choices follow source validation always.
    """

    split: str = "val"
    way: int = Field(default=5, ge=2)
    shot: int = Field(default=5, ge=1)
    query: int = Field(default=5, ge=1)
    episodes: int = Field(default=100, ge=2)
    select: Literal["source_val", "last", "target_oracle"] = "source_val"
    checks: int = Field(default=5, ge=1)


class Evaluation(Frozen):
    """The tasks that every learner meets in every domain."""

    seed: int = 0
    way: int = Field(default=5, ge=2)
    shot: int = Field(default=5, ge=1)
    query: int = Field(default=15, ge=1)
    episodes: int = Field(default=600, ge=2)

    def at(self, target: "Target") -> "Evaluation":
        """The tasks of a target, which may state a shape of its own."""
        own = {k: v for k in _Shape.model_fields if (v := getattr(target, k)) is not None}
        return self.model_copy(update=own)


class Learner(Frozen):
    """A method (how it is trained) with an adaptation (what it does with a support set).

    ``tune`` maps fields of the adaptation to the values tried on source validation; the best is used.
    """

    label: Label = ""
    method: SerializeAsAny[Method]
    adapt: SerializeAsAny[Adaptation]
    tune: dict[str, list[Any]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "method" in value:
            return value
        fields = dict(value)
        own = {k: fields.pop(k) for k in ("label", "tune") if k in fields}
        adapt = fields.pop("adapt", {})
        problems: list[InitErrorDetails] = []
        method = adaptation = native = None
        try:
            method = build("methods", Method, dict(fields), beside=("label", "adapt", "tune"))
            native = method.adaptation()
        except ValidationError as error:
            problems += nested(error.errors(include_url=False))
            native = _native(fields.get("name"))
        try:
            adaptation = _adaptation(native, _mapping(adapt))
        except ValidationError as error:
            problems += nested(error.errors(include_url=False), ("adapt",))
        try:
            _Labelled.model_validate({k: v for k, v in own.items() if k == "label"})
        except ValidationError as error:
            problems += nested(error.errors(include_url=False))
        if problems:
            raise ValidationError.from_exception_data("learner", problems)
        grid = adaptation.grid if adaptation else {}
        return {"method": method, "adapt": adaptation, "tune": {k: list(v) for k, v in grid.items()}, **own}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        return {"label": whole["label"], **whole["method"], "adapt": whole["adapt"], "tune": whole["tune"]}

    @model_validator(mode="after")
    def _grid(self) -> "Learner":
        for key, values in self.tune.items():
            for value in values:
                try:
                    self.adapt.model_validate({**dict(self.adapt), key: value})
                except ValidationError as error:
                    raise ValidationError.from_exception_data(
                        "tune", nested(error.errors(include_url=False), ("tune",))
                    ) from None
        return self


def _mapping(value: Any) -> dict[str, Any]:
    fields = {"name": value} if isinstance(value, str) else value
    if not isinstance(fields, dict):
        error = PydanticCustomError("component", "expected a name, or a mapping such as {steps: 5}")
        raise ValidationError.from_exception_data("adapt", [InitErrorDetails(type=error, loc=(), input=value)])
    return dict(fields)


def _native(name: object) -> Adaptation | None:
    try:
        return find("methods", Method, name)().adaptation()
    except ValidationError:
        return None


def _adaptation(native: Adaptation | None, fields: dict[str, Any]) -> Adaptation | None:
    if native and fields.get("name", native.name) == native.name:
        fields.pop("name", None)
        return type(native).model_validate({**dict(native), **fields})
    return build("adaptations", Adaptation, fields) if "name" in fields else native


class Study(Frozen):
    """Everything that the numbers depend on, and their labels.

    ``flags`` says which honesty flags fail a run; ``flag_episodes`` is on how many of an attack's first tasks those are
    measured that take further attacks, 0 = none.
    """

    name: Name
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    threads: int = Field(default=2, ge=1)
    images: Canvas = Canvas()
    sources: tuple[Placed, ...] = Field(min_length=1)
    targets: tuple[Target, ...] = Field(min_length=1)
    validation: Validation = Validation()
    evaluation: Evaluation = Evaluation()
    backbone: Annotated[SerializeAsAny[Backbone], PlainValidator(named("backbones", Backbone, "conv4"))]
    budget: Budget
    training: Training = Training()
    learners: tuple[Learner, ...] = ()
    baselines: tuple[Learner, ...] = ()
    shifts: tuple[Annotated[SerializeAsAny[ShiftEntry], PlainValidator(shift_entry)], ...] = ()
    flags: Flags = Flags()
    flag_episodes: int = Field(default=10, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        return {"backbone": {"name": "conv4"}, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _labels(self) -> "Study":
        if not self.learners and not self.baselines:
            raise wrong("learners", "missing", "give at least one learner or baseline", None)
        if len(set(self.seeds)) < len(self.seeds):
            raise wrong("seeds", "seeds", f"a seed stands twice: {list(self.seeds)}", self.seeds)
        both = label_all([*self.learners, *self.baselines], _learner_label, "learners")
        object.__setattr__(self, "learners", tuple(both[: len(self.learners)]))
        object.__setattr__(self, "baselines", tuple(both[len(self.learners) :]))
        for name in ("sources", "targets"):
            object.__setattr__(self, name, tuple(label_all(getattr(self, name), _target_label, name)))
        shifts = label_all(self.shifts, lambda entry: entry.described(), "shifts")
        unique([curve for entry in shifts for curve in entry.curves], "shifts")
        object.__setattr__(self, "shifts", tuple(shifts))
        _sources(shifts, [learner.label for learner in both])
        _fitting(self.training, self.images, self.validation)
        return self


def _fitting(training: Training, images: Canvas, validation: Validation) -> None:
    """Raise a ValidationError where training does not fit the rest of the study."""
    if training.early_stop and validation.select == "last":
        text = "stops by the checks of validation, and select: last has none; use select: source_val"
        raise wrong(("training", "early_stop"), "early_stop", text, training.early_stop)
    for i, one in enumerate(training.augment):
        if reason := unfit(one, images.size, images.channels):
            raise wrong(("training", "augment", i), "augment", reason, one)


def _sources(shifts: Sequence[ShiftEntry], learners: Sequence[str]) -> None:
    """Raise a ValidationError where an attack is made through a learner that the study lacks."""
    given = {i: entry.through for i, entry in enumerate(shifts) if isinstance(entry, AttackShift) and entry.through}
    lacking = {i: label for i, label in given.items() if label not in learners}
    attempt(*(((), partial(_lacks, i, label, learners)) for i, label in lacking.items()))


def _lacks(place: int, label: str, learners: Sequence[str]) -> None:
    raise wrong(("shifts", place, "through"), "through", unknown(label, learners, "learner or baseline"), label)


def _target_label(target: Placed) -> Described:
    own = {k: v for k, v in target if k in _Shape.model_fields and v is not None}
    return target.source.name, _choices(target.source, exclude_defaults=True) | own


def _choices(component: Component, *, exclude_defaults: bool = False) -> dict[str, Any]:
    fields = component.model_dump(mode="json", exclude_defaults=exclude_defaults)
    return {k: v for k, v in fields.items() if k != "name" and not isinstance(getattr(component, k), Path)}


def _learner_label(learner: Learner) -> Described:
    native = learner.method.adaptation()
    adapt = {} if learner.adapt == native else {"adapt": learner.adapt.name}
    if learner.adapt.name == native.name:
        adapt = {k: v for k, v in _choices(learner.adapt).items() if v != _choices(native)[k]}
    return learner.method.name, adapt | _choices(learner.method, exclude_defaults=True)
