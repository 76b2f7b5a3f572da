"""A study: what is trained, on what, and under which shifts it is measured. One YAML file, one frozen model."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from robustmeta.config.components import (
    Adaptation,
    Attack,
    Backbone,
    Component,
    Frozen,
    Method,
    Source,
    explained,
    nested,
)
from robustmeta.core import Corruption
from robustmeta.registry import ComponentError, resolve

C = TypeVar("C", bound=Component)
T = TypeVar("T", bound=Frozen)
_BESIDE = ("label", "episodes", "place", "eps")
LABEL = re.compile(r"[a-z0-9._-]+")
Name = Annotated[str, Field(pattern=rf"^{LABEL.pattern}$")]
Label = Annotated[str, Field(pattern=rf"^({LABEL.pattern})?$")]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _named(kind: str, base: type[Component], default: str = "") -> Callable[[Any], Any]:
    def validate(value: Any) -> Any:
        if isinstance(value, base):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise PydanticCustomError("component", "expected a mapping with a name, such as {name: ...}")
        return build(kind, base, dict(value), default)

    return validate


def find(kind: str, base: type, ref: object) -> Any:
    """The component class (or corruption) that a name stands for; an error of the field ``name`` if there is none."""
    try:
        found = resolve(kind, str(ref))
    except ComponentError as error:
        raise _at("name", "unknown_component", str(error), ref) from None
    right = issubclass(found, base) if isinstance(found, type) else isinstance(found, base)
    if not right:
        raise _at("name", "component", f"{ref} is a {type(found).__name__}, not one of the {kind}", ref)
    lacking = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
    if lacking:
        raise _at("name", "component", f"{ref} is not complete: it must define {lacking}", ref)
    return found


def _at(loc: str, kind: str, message: str, value: object) -> ValidationError:
    error = PydanticCustomError(kind, "{text}", {"text": message})  # type: ignore[arg-type]
    return ValidationError.from_exception_data("study", [InitErrorDetails(type=error, loc=(loc,), input=value)])


def build(kind: str, base: type[C], fields: dict[str, Any], default: str = "", beside: Sequence[str] = ()) -> C:
    """A component from its name and fields; raises pydantic's ValidationError with all that is wrong.

    ``beside``: keys that may stand beside its fields, for suggestions.
    """
    name = fields.pop("name", default)
    if not name:
        raise _at("name", "missing", "a name is required", fields)
    cls = find(kind, base, name)
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        raise explained(error, [*cls.model_fields, *beside], "unknown_key") from None


class Canvas(Frozen):
    """The size of all images of a study, in pixels, and their channels: 1 (gray) or 3 (RGB)."""

    size: int = Field(default=28, ge=8, le=512)
    channels: Literal[1, 3] = 1


class Target(Frozen):
    """A domain under a label."""

    label: Label = ""
    source: SerializeAsAny[Source]

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "source" in value:
            return value
        fields = dict(value)
        label = {"label": fields.pop("label")} if "label" in fields else {}
        return {"source": build("domains", Source, fields, beside=("label",)), **label}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        return {"label": whole["label"], **whole["source"]}


class Validation(Frozen):
    """Tasks of held-out source classes, on which checkpoints and test-time choices are selected.

    ``select: source_val`` keeps the best of ``checks`` checkpoints; ``last`` keeps the last.
    """

    split: str = "val"
    way: int = Field(default=5, ge=2)
    shot: int = Field(default=5, ge=1)
    query: int = Field(default=5, ge=1)
    episodes: int = Field(default=100, ge=2)
    select: Literal["source_val", "last"] = "source_val"
    checks: int = Field(default=5, ge=1)


class Evaluation(Frozen):
    """The tasks that every learner meets in every domain."""

    seed: int = 0
    way: int = Field(default=5, ge=2)
    shot: int = Field(default=5, ge=1)
    query: int = Field(default=15, ge=1)
    episodes: int = Field(default=600, ge=2)


class Budget(Frozen):
    """What each learner may see in training: images that the sampler delivers."""

    images: int = Field(ge=1)


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


class ShiftEntry(Frozen):
    """A corruption at some severities, or an attack at some eps; each value is a point of one curve.

    Corruption: ``corruption`` (a name, module:attr, file.py:attr or albumentations:Name), ``severity`` 1 to 5,
    ``place`` (support, query or both), ``table`` (which severity table), ``levels`` (own levels instead of a table).
    Attack: ``attack`` (a name), ``eps`` (radii), and the fields of that attack; always on the query.
    ``episodes``: measure on the first so many tasks only.
    """

    label: Label = ""
    episodes: int | None = Field(default=None, ge=2)
    place: Literal["support", "query", "both"] = "query"
    corruption: Annotated[Corruption, PlainValidator(lambda c: c)] | None = Field(default=None, exclude=True)
    name: str = ""
    severity: Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], BeforeValidator(_listed)] = ()
    table: str = "auto"
    levels: tuple[Any, ...] = Field(default=(), max_length=5)
    attack: SerializeAsAny[Attack] | None = None
    eps: Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(_listed)] = ()

    @model_validator(mode="before")
    @classmethod
    def _which(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        fields = dict(value)
        if ("corruption" in fields) == ("attack" in fields):
            raise PydanticCustomError("shift", "expected either corruption: or attack:")
        if "corruption" in fields and not isinstance(fields["corruption"], Corruption):
            name = fields["corruption"]
            try:
                fields |= {"corruption": find("corruptions", Corruption, name), "name": name}
            except ValidationError as error:
                message = error.errors()[0]["msg"]
                raise _at("corruption", "unknown_component", message, name) from None
        if "attack" in fields and not isinstance(fields["attack"], Attack):
            return cls._attack(fields)
        return fields

    @classmethod
    def _attack(cls, fields: dict[str, Any]) -> dict[str, Any]:
        name = fields.pop("attack")
        own = {k: fields.pop(k) for k in _BESIDE if k in fields}
        try:
            return {"attack": build("attacks", Attack, {"name": name, **fields}, beside=_BESIDE), "name": name, **own}
        except ValidationError as error:
            renamed = [
                {**e, "loc": ("attack",)} if e["loc"] == ("name",) else e for e in error.errors(include_url=False)
            ]
            raise ValidationError.from_exception_data("attack", nested(renamed)) from None

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        common = {k: whole[k] for k in ("label", "episodes", "place") if k in whole}
        if self.attack:
            own = {k: v for k, v in whole["attack"].items() if k != "name"}
            return {"attack": self.name, **common, "eps": whole["eps"], **own}
        own = {k: whole[k] for k in ("severity", "table", "levels")}
        return {"corruption": self.name, **common, **own}

    @model_validator(mode="after")
    def _complete(self) -> "ShiftEntry":
        if self.attack:
            if self.place != "query":
                raise _at(
                    "place", "attack_place", f"attack {self.name} acts on the query; got {self.place}", self.place
                )
            if not self.eps:
                raise _at("eps", "missing", "an attack needs eps, such as [0.1, 0.2]", self.eps)
            steps = [round(1000 * e) for e in self.eps]
            if len(set(steps)) < len(steps) or 0 in steps:
                text = (
                    f"two eps (or an eps and 0) are the same to 0.001: {list(self.eps)}; a curve has one point at each"
                )
                raise _at("eps", "eps_steps", text, self.eps)
            return self
        corruption = self.corruption
        if corruption is None:
            return self
        if self.eps:
            raise _at("eps", "shift", "a corruption has a severity, not an eps", self.eps)
        if not self.levels and not corruption.tables:
            text = f"{self.name} has no severity table: give levels, such as levels: [{{...}}, {{...}}]"
            raise _at("levels", "missing", text, self.levels)
        if not self.levels and self.table not in ("auto", *corruption.tables):
            text = f"{self.name} has no table {self.table!r}; it has {', '.join(corruption.tables)}"
            raise _at("table", "table", text, self.table)
        top = len(self.levels or next(iter(corruption.tables.values())))
        if any(s > top for s in self.severity):
            raise _at("severity", "severity", f"{self.name} has {top} levels; got {list(self.severity)}", self.severity)
        if len(set(self.severity)) < len(self.severity):
            raise _at("severity", "severity", f"a severity stands twice: {list(self.severity)}", self.severity)
        return self


class Study(Frozen):
    """Everything that the numbers depend on, and their labels."""

    name: Name
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    threads: int = Field(default=2, ge=1)
    images: Canvas = Canvas()
    sources: tuple[Target, ...] = Field(min_length=1)
    targets: tuple[Target, ...] = Field(min_length=1)
    validation: Validation = Validation()
    evaluation: Evaluation = Evaluation()
    backbone: Annotated[SerializeAsAny[Backbone], PlainValidator(_named("backbones", Backbone, "conv4"))]
    budget: Budget
    learners: tuple[Learner, ...] = ()
    baselines: tuple[Learner, ...] = ()
    shifts: tuple[ShiftEntry, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        return {"backbone": {"name": "conv4"}, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _labels(self) -> "Study":
        if not self.learners and not self.baselines:
            raise _at("learners", "missing", "give at least one learner or baseline", None)
        if len(set(self.seeds)) < len(self.seeds):
            raise _at("seeds", "seeds", f"a seed stands twice: {list(self.seeds)}", self.seeds)
        both = label_all([*self.learners, *self.baselines], _learner_label, "learners")
        object.__setattr__(self, "learners", tuple(both[: len(self.learners)]))
        object.__setattr__(self, "baselines", tuple(both[len(self.learners) :]))
        for name in ("sources", "targets"):
            object.__setattr__(self, name, tuple(label_all(getattr(self, name), _target_label, name)))
        object.__setattr__(self, "shifts", tuple(label_all(self.shifts, _shift_label, "shifts")))
        return self


def _target_label(target: Target) -> tuple[str, dict[str, Any]]:
    return target.source.name, _choices(target.source, exclude_defaults=True)


def _choices(component: Component, *, exclude_defaults: bool = False) -> dict[str, Any]:
    fields = component.model_dump(mode="json", exclude_defaults=exclude_defaults)
    return {k: v for k, v in fields.items() if k != "name" and not isinstance(getattr(component, k), Path)}


def _learner_label(learner: Learner) -> tuple[str, dict[str, Any]]:
    native = learner.method.adaptation()
    adapt = {} if learner.adapt == native else {"adapt": learner.adapt.name}
    if learner.adapt.name == native.name:
        adapt = {k: v for k, v in _choices(learner.adapt).items() if v != _choices(native)[k]}
    return learner.method.name, adapt | _choices(learner.method, exclude_defaults=True)


def _shift_label(shift: ShiftEntry) -> tuple[str, dict[str, Any]]:
    name = shift.name.rpartition(":")[2] or "shift"
    if shift.attack:
        return name, _choices(shift.attack, exclude_defaults=True)
    differing = {"table": shift.table} if shift.table != "auto" else {}
    return name + ("" if shift.place == "query" else f"-{shift.place}"), differing


def label_all(items: Sequence[T], describe: Callable[[T], tuple[str, dict[str, Any]]], where: str) -> list[T]:
    """Give every item without a label its name, plus the fields that differ where a name stands twice."""
    described = [describe(item) for item in items]
    names = [name for item, (name, _) in zip(items, described, strict=True) if not getattr(item, "label", "")]
    out: list[T] = []
    for item, (name, fields) in zip(items, described, strict=True):
        label = getattr(item, "label", "")
        if not label:
            extra = _flat_text(fields) if names.count(name) > 1 else ""
            label = re.sub(r"[^a-z0-9._-]+", "-", (name + extra).lower()).strip("-")
        out.append(item.model_copy(update={"label": label}))
    labels = [getattr(item, "label", "") for item in out]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise _at(where, "labels", f"two entries are called {', '.join(twice)}; give each a label of its own", labels)
    return out


def _flat_text(fields: dict[str, Any]) -> str:
    parts: list[str] = []
    for key, value in fields.items():
        if isinstance(value, dict):
            parts.append(_flat_text(value).removeprefix("-"))
        else:
            text = ".".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            parts.append(text if isinstance(value, str | list | tuple) else f"{key}-{text}")
    return "".join(f"-{p}" for p in parts if p)
