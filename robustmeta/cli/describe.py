"""One component in full: what it is, its choices, and whether it keeps what it promises."""

import inspect
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from robustmeta.registry import KINDS, ComponentError, entries, origin, resolve, unknown

LIMITS = {
    "ge": "≥ {}",
    "gt": "> {}",
    "le": "≤ {}",
    "lt": "< {}",
    "multiple_of": "a multiple of {}",
    "min_length": "{} or more",
    "pattern": "like {}",
}
"""What the limits of fields say, by how pydantic calls them."""


def find(name: str) -> tuple[str, object]:
    """The kind and the component that a name, ``kind:name``, ``module:attr`` or ``file.py:attr`` stands for.

    Raises:
        ComponentError: nothing, or more than one, of that name; the message says how to name it.
    """
    prefix, _, rest = name.partition(":")
    if prefix in KINDS:
        return prefix, resolve(prefix, rest)
    kinds = [k for k in KINDS if any(e.name == name and not name.endswith(":*") for e in entries(k))]
    kinds = [k for k in kinds if k != "sequences"] or kinds  # these are named after their corruptions
    if len(kinds) > 1:
        raise ComponentError(f"{name!r} names {len(kinds)} things; say {' or '.join(f'{k}:{name}' for k in kinds)}")
    if kinds:
        return kinds[0], resolve(kinds[0], name)
    if rest:
        component = resolve("corruptions", name)  # the kind matters for registered names alone
        return _kind(component), component
    raise ComponentError(unknown(name, {e.name for k in KINDS for e in entries(k)}, "component"))


def _kind(component: object) -> str:
    from robustmeta.config.components import Component
    from robustmeta.shifts.corruption import Corruption
    from robustmeta.shifts.sequence import FrameSequence
    from robustmeta.shifts.tasking import Tasking

    made: dict[type, str] = {Corruption: "corruptions", Tasking: "taskings", FrameSequence: "sequences"}
    if type(component) in made:
        return made[type(component)]
    if isinstance(component, type) and issubclass(component, Component):
        return component.kind
    return "metrics"


def describe(name: str) -> dict[str, Any]:
    """Everything that a person may want to know of a component, as JSON types."""
    kind, found = find(name)
    tell: dict[str, Callable[[Any], dict[str, Any]]] = {
        "corruptions": _corruption,
        "taskings": _tasking,
        "sequences": _sequence,
        "metrics": _metric,
    }
    return {"kind": kind, **tell.get(kind, _component)(found)}


def _metric(found: Any) -> dict[str, Any]:
    head = {"name": found.name, "doc": found.doc, "paper": found.paper, "version": found.version, "fields": []}
    return {**head, "origin": origin(found.statistics.__module__)}


def _corruption(found: Any) -> dict[str, Any]:
    return {**_law(found), "monotone": found.monotone}


def _law(found: Any) -> dict[str, Any]:
    tables = {name: list(levels) for name, levels in found.tables.items()}
    head = {"name": found.name, "doc": _doc(found.function), "paper": found.paper}
    rest = {
        "version": found.version,
        "family": found.family,
        "tables": tables,
        "laws": dict(found.laws),
        "parity": dict(found.parity),
        "fields": [],
    }
    return {**head, "origin": found.origin or origin(found.module), **rest}


def _tasking(found: Any) -> dict[str, Any]:
    head = {"name": found.name, "doc": _doc(found.function), "paper": found.paper, "version": found.version}
    return {**head, "origin": found.origin, "tables": {"levels": list(found.levels)}, "fields": []}


def _sequence(found: Any) -> dict[str, Any]:
    return {**_law(found), "frames": dict(found.frames), "reference": found.reference}


def _component(found: Any) -> dict[str, Any]:
    head = {"name": found.name, "doc": _doc(found), "paper": found.paper}
    return {**head, "origin": origin(found.__module__), "version": found.version, "fields": _fields(found)}


def _fields(model: Any, prefix: str = "", given: Any = None) -> list[dict[str, Any]]:
    """A row a field; those of a field that is, or may be, a set of choices follow it, with a dot.

    ``given``: the choices that are the default of the field that these stand in.
    """
    from pydantic_core import PydanticUndefined, to_jsonable_python

    from robustmeta.config.components import Frozen

    rows: list[dict[str, Any]] = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Frozen):
            rows += _fields(kind, f"{prefix}{name}.", getattr(given, name, info.get_default(call_default_factory=True)))
            continue
        inner = [a for a in get_args(kind) if isinstance(a, type) and issubclass(a, Frozen)]
        text = kind.__name__ if isinstance(kind, type) and not getattr(kind, "__args__", ()) else str(kind)
        text = "a mapping | None" if inner else text
        required = info.default is PydanticUndefined and info.default_factory is None
        default = None if required else info.get_default(call_default_factory=True)
        default = to_jsonable_python(getattr(given, name, default))
        row = {"name": prefix + name, "type": text.replace("typing.", ""), "required": required, "default": default}
        rows.append({**row, "limits": _limits(info.metadata), "description": info.description or ""})
        rows += [r for model in inner for r in _fields(model, f"{prefix}{name}.")]
    return rows


def _limits(metadata: list[Any]) -> str:
    values = [(word, getattr(m, key, None)) for m in metadata for key, word in LIMITS.items()]
    return ", ".join(word.format(value) for word, value in values if value is not None)


def _doc(found: object) -> str:
    return inspect.getdoc(found) or ""


def check(name: str, sheet: Path | None) -> dict[str, Any]:
    """Test a component and, with ``sheet``, draw a corruption into that PNG file.

    Raises:
        ComponentError: the name stands for something else.
    """
    from robustmeta import testing
    from robustmeta.core import CellError
    from robustmeta.report.sheet import corruption_sheet

    kind, made = find(name)
    checks: dict[str, Callable[[Any], list[testing.Finding]]] = {
        "corruptions": testing.check_corruption,
        "taskings": testing.check_tasking,
        "sequences": testing.check_sequence,
        "methods": lambda cls: testing.check_method(cls()),
        "adaptations": lambda cls: testing.check_adaptation(cls()),
        "attacks": lambda cls: testing.check_attack(cls()),
        "support_attacks": lambda cls: testing.check_support_attack(cls()),
        "certificates": lambda cls: testing.check_certificate(cls()),
    }
    if kind not in checks:
        raise ComponentError(f"{name} is one of the {kind}; `robustmeta check` tests {', '.join(checks)}")
    if sheet and kind != "corruptions":
        raise ComponentError(f"{name} is one of the {kind}; --sheet draws corruptions")
    found: Any = made
    findings = checks[kind](found)
    drawn = ""
    if sheet:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        with suppress(CellError):  # a finding says it
            corruption_sheet(found, sheet)
            drawn = str(sheet)
    passed = all(f.passed for f in findings)
    return {"name": found.name, "passed": passed, "findings": [vars(f) for f in findings], "sheet": drawn}
