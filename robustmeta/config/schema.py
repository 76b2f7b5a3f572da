"""The JSON schema (draft 2020-12) of a study, for editors: every registered component with its fields."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from robustmeta.config.attacking import AttackShift
from robustmeta.config.certifying import CertificateShift
from robustmeta.config.components import Adaptation, Attack, Certificate, Component, Method, Source, SupportAttack
from robustmeta.config.corrupting import CorruptionShift
from robustmeta.config.drawing import DrawShift
from robustmeta.config.entry import ShiftEntry
from robustmeta.config.poisoning import SupportAttackShift
from robustmeta.config.sequences import SequenceSet, SequenceShift
from robustmeta.config.sets import SetShift
from robustmeta.config.study import Learner, Placed, Study, Target
from robustmeta.config.tasking import TaskingShift
from robustmeta.registry import ComponentError, corruption_sets, entries, resolve, sequence_sets
from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.sequence import FrameSequence
from robustmeta.shifts.tasking import Tasking

Schema = dict[str, Any]

_OWN = {"type": "string", "pattern": ":", "description": "A component of yours: module:attr or file.py:attr."}
_NUMBERS = {"integer": r"^[-+]?[0-9]+(_[0-9]+)*$", "number": r"^[-+]?[0-9]+(/[0-9]+|(_[0-9]+)+)$"}
_LISTED = ("severity", "eps", "sigma", "support_draws")
_ATTACK_KEYS = ("label", "episodes", "eps", "through")
_CORRUPTION_KEYS = ("label", "episodes", "place", "severity", "table", "levels")


def study_schema() -> Schema:
    """What a study file may hold. Components that cannot be loaded are left out."""
    schema = Study.model_json_schema()
    defs = schema["$defs"]
    for name in ("Adaptation", "Method", "Source"):
        del defs[name]
    own = defs["Learner"]["properties"]
    defs["Placed"] = _any(Placed, _entries("domains", Source, _pick(own, ("label",)), defs))
    beside = _pick(defs["Target"]["properties"], ("label", "way", "shot", "query"))
    defs["Target"] = _any(Target, _entries("domains", Source, beside, defs))
    defs["Learner"] = _any(Learner, _learners(_pick(own, ("label", "tune")), defs))
    corruptions = [*_corruptions(), _chains(), _sides(), _sets()]
    attacks = [*_attacks(defs), *_poisons(defs), *_certificates(defs), _draws()]
    shifts = _any(ShiftEntry, [*corruptions, *_taskings(), *_sequences(), *attacks])
    schema["properties"]["shifts"] = {"type": "array", "items": shifts}
    backbones = _entries("backbones", Component, {}, defs)
    schema["properties"]["backbone"] = {"anyOf": [_names("backbones"), *backbones]}
    schema["required"] = [f for f in schema["required"] if f != "backbone"]
    whole: Schema = _as_written(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "title": "A robustmeta study"}


def loaded(kind: str, base: type) -> dict[str, Any]:
    """The components of a kind that load, by name. A broken package must not take the others with it."""
    found: dict[str, Any] = {}
    for entry in entries(kind):
        if not entry.name.endswith(":*"):
            try:
                component = resolve(kind, entry.name)
            except ComponentError:
                continue
            if isinstance(component, base) or (isinstance(component, type) and issubclass(component, base)):
                found[entry.name] = component
    return found


def _pick(properties: Mapping[str, Schema], keys: Iterable[str]) -> Schema:
    return {key: properties[key] for key in keys}


def _any(model: type, branches: list[Schema]) -> Schema:
    return {"description": inspect.cleandoc(model.__doc__ or ""), "anyOf": branches}


def _object(title: str, doc: str | None, properties: Schema, required: list[str], *, closed: bool = True) -> Schema:
    head = {"title": title, "description": inspect.cleandoc(doc or "")}
    tail = {"additionalProperties": False} if closed else {}
    return {**head, "type": "object", "properties": properties, "required": required, **tail}


def _fields(cls: type[Component], defs: Schema) -> tuple[Schema, list[str]]:
    schema = cls.model_json_schema()
    defs.update(schema.get("$defs", {}))
    return schema.get("properties", {}), schema.get("required", [])


def _entries(kind: str, base: type, extra: Schema, defs: Schema, key: str = "name") -> list[Schema]:
    """A branch for every component of a kind, with fields of the entry around it, and one for a user's own."""
    branches: list[Schema] = []
    for name, cls in loaded(kind, base).items():
        fields, required = _fields(cls, defs)
        properties = {key: {"const": name}, **extra, **fields}
        branches.append(_object(name, cls.__doc__, properties, [key, *required]))
    return [*branches, _object("own", _OWN["description"], {key: _OWN, **extra}, [key], closed=False)]


def _names(kind: str) -> Schema:
    return {"type": "string", "anyOf": [{"enum": [e.name for e in entries(kind)]}, _OWN]}


def _learners(extra: Schema, defs: Schema) -> list[Schema]:
    """A method with its choices; ``adapt`` without a name has the fields of the method's own adaptation."""
    given = [_names("adaptations"), *_entries("adaptations", Adaptation, {}, defs)]
    branches = _entries("methods", Method, extra | {"adapt": {"anyOf": given}}, defs)
    for branch, cls in zip(branches, loaded("methods", Method).values(), strict=False):
        native = type(cls().adaptation())
        fields, _ = _fields(native, defs)
        plain = _object(f"{native.name} (default)", native.__doc__, fields, [])
        branch["properties"] |= {"adapt": {"anyOf": [plain, *given]}}
    return branches


def _keys(form: type[ShiftEntry], keys: Iterable[str]) -> Schema:
    """Some properties of an entry as they are written; a list of one may be that one."""
    found = _pick(form.model_json_schema()["properties"], keys)
    return {k: {"anyOf": [p, p["items"]]} if k in _LISTED else p for k, p in found.items()}


def _corruptions() -> list[Schema]:
    """A branch for every corruption, with its tables, and one for a user's own."""
    extra = _keys(CorruptionShift, _CORRUPTION_KEYS)
    branches: list[Schema] = []
    for name, corruption in loaded("corruptions", Corruption).items():
        table = {"enum": ["auto", *corruption.tables]}
        properties = {"corruption": {"const": name}, **extra, "table": table}
        branches.append(_object(name, corruption.function.__doc__, properties, ["corruption"]))
    return [*branches, _object("own", _OWN["description"], {"corruption": _OWN, **extra}, ["corruption"])]


def _chain() -> Schema:
    """Corruptions in order, each a name or a name with its severity."""
    name = _names("corruptions")
    strong = {"type": "object", "minProperties": 1, "maxProperties": 1}
    severity = {"type": "integer", "minimum": 1, "maximum": 5}
    step = {"anyOf": [name, {**strong, "propertyNames": name, "additionalProperties": severity}]}
    return {"type": "array", "items": step, "minItems": 1}


def _chains() -> Schema:
    extra = _keys(CorruptionShift, ("label", "episodes", "place", "severity", "table"))
    return _object("chain", CorruptionShift.__doc__, {"corruption": _chain(), **extra}, ["corruption"])


def _sides() -> Schema:
    """Different chains on the support and on the query."""
    extra = _keys(CorruptionShift, ("label", "episodes", "severity", "table"))
    side = {"anyOf": [_names("corruptions"), _chain()]}
    made = _object("sides", CorruptionShift.__doc__, {"support": side, "query": side, **extra}, [])
    return {**made, "anyOf": [{"required": ["support"]}, {"required": ["query"]}]}


def _sets() -> Schema:
    extra = _keys(SetShift, ("label", "episodes", "place", "severity", "table"))
    named = {"enum": list(corruption_sets())}
    return _object("set", SetShift.__doc__, {"corruptions": named, **extra}, ["corruptions"])


def _taskings() -> list[Schema]:
    extra = _keys(TaskingShift, ("label", "episodes", "severity", "levels"))
    named = loaded("taskings", Tasking).items()
    made = [_object(n, t.function.__doc__, {"tasking": {"const": n}, **extra}, ["tasking"]) for n, t in named]
    return [*made, _object("own", _OWN["description"], {"tasking": _OWN, **extra}, ["tasking"])]


def _sequences() -> list[Schema]:
    """Each sequence, a user's own, and the named sets of them."""
    extra = _keys(SequenceShift, ("label", "episodes", "severity"))
    made: list[Schema] = []
    for name, found in loaded("sequences", FrameSequence).items():
        properties = {"sequence": {"const": name}, **extra, "table": {"enum": ["auto", *found.tables]}}
        made.append(_object(name, found.function.__doc__, properties, ["sequence"]))
    own = _object("own", _OWN["description"], {"sequence": _OWN, **extra, "table": {"type": "string"}}, ["sequence"])
    named = {"sequences": {"enum": list(sequence_sets())}, **_keys(SequenceSet, ("label", "episodes"))}
    return [*made, own, _object("set of sequences", SequenceSet.__doc__, named, ["sequences"])]


def _attacks(defs: Schema) -> list[Schema]:
    extra = {**_keys(AttackShift, _ATTACK_KEYS), "place": {"const": "query"}}
    branches = _entries("attacks", Attack, extra, defs, key="attack")
    for own in (b["properties"] for b in branches):
        if "steps" in own:
            own["steps"] = {"anyOf": [own["steps"], {"type": "array", "items": own["steps"], "minItems": 1}]}
    return [{**b, "required": [*b["required"], "eps"]} for b in branches]


def _poisons(defs: Schema) -> list[Schema]:
    extra = {**_keys(SupportAttackShift, ("label", "episodes", "eps", "seed")), "place": {"const": "support"}}
    branches = _entries("support_attacks", SupportAttack, extra, defs, key="support_attack")
    return [{**b, "required": [*b["required"], "eps"]} for b in branches]


def _certificates(defs: Schema) -> list[Schema]:
    extra = _keys(CertificateShift, ("label", "episodes", "sigma"))
    branches = _entries("certificates", Certificate, extra, defs, key="certificate")
    return [{**b, "required": [*b["required"], "sigma"]} for b in branches]


def _draws() -> Schema:
    properties = {**_keys(DrawShift, ("label", "episodes", "support_draws", "worst")), "place": {"const": "support"}}
    return _object("support draws", DrawShift.__doc__, properties, ["support_draws"])


def _as_written(schema: Any) -> Any:
    """Editors read 150_000 and 8/255 as text, this package as numbers: let a number be written like that too."""
    if isinstance(schema, list):
        return [_as_written(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _as_written(value) for key, value in schema.items()}
    pattern = _NUMBERS.get(inner["type"]) if isinstance(inner.get("type"), str) else None
    notes = {k: inner.pop(k) for k in ("title", "description", "default") if pattern and k in inner}
    return {**notes, "anyOf": [inner, {"type": "string", "pattern": pattern}]} if pattern else inner
