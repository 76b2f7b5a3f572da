"""What there is to use: names with a line of text without importing anything, and one component in full."""

import ast
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robustmeta.registry import KINDS, ComponentError, Entry, entries, origin, resolve, unknown


def kind_of(word: str) -> str:
    """The kind that a word names; "learners" are methods.

    Raises:
        ComponentError: no such kind.
    """
    kind = {"learners": "methods"}.get(word, word)
    if kind not in KINDS:
        raise ComponentError(unknown(word, [*KINDS, "learners"], "kind"))
    return kind


def summary(entry: Entry) -> str:
    """The first line on a component, read from its source; its module is not imported."""
    module, _, attr = entry.target.partition(":")
    try:
        source = _source(module)
        tree = ast.parse(source.read_text(encoding="utf-8")) if source else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return ""
    docs = [doc for node in tree.body if (doc := _doc_of(node, attr))]
    return (docs or [ast.get_docstring(tree) or ""])[0].partition("\n")[0]


def _doc_of(node: ast.stmt, name: str) -> str:
    """The docstring of a class or function of that name, or the last text that an object of that name is made from."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
        return ast.get_docstring(node) or ""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.targets[0]) == name:
        texts = [a.value for a in node.value.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return texts[-1] if texts else ""
    return ""


def listing(word: str | None) -> list[dict[str, str]]:
    """Name, origin and first line of the components of a kind, or of all kinds."""
    kinds = KINDS if word is None else (kind_of(word),)
    found = [e for kind in kinds for e in entries(kind)]
    return [{"kind": e.kind, "name": e.name, "origin": e.origin, "summary": summary(e)} for e in found]


def _source(module: str) -> Path | None:
    top, *inner = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not inner:
        return Path(spec.origin) if spec and spec.origin else None
    folders = [Path(p, *inner) for p in spec.submodule_search_locations or ()]
    files = [f for folder in folders for f in (folder.with_suffix(".py"), folder / "__init__.py")]
    return next((f for f in files if f.is_file()), None)


def find(name: str) -> tuple[str, object]:
    """The kind and the component that a name, ``kind:name``, ``module:attr`` or ``file.py:attr`` stands for.

    Raises:
        ComponentError: nothing, or more than one, of that name; the message says how to name it.
    """
    prefix, _, rest = name.partition(":")
    if prefix in KINDS:
        return prefix, resolve(prefix, rest)
    kinds = [k for k in KINDS if any(e.name == name for e in entries(k))]
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
    from robustmeta.core import Corruption

    if isinstance(component, Corruption):
        return "corruptions"
    if isinstance(component, type) and issubclass(component, Component):
        return component.kind
    return "metrics"


def describe(name: str) -> dict[str, Any]:
    """Everything that a person may want to know of a component, as JSON types."""
    kind, found = find(name)
    tell: dict[str, Callable[[Any], dict[str, Any]]] = {"corruptions": _corruption, "metrics": _metric}
    return {"kind": kind, **tell.get(kind, _component)(found)}


def _metric(found: Any) -> dict[str, Any]:
    head = {"name": found.name, "doc": found.doc, "paper": found.paper, "version": found.version, "fields": []}
    return {**head, "origin": origin(found.statistics.__module__)}


def _corruption(found: Any) -> dict[str, Any]:
    tables = {name: list(levels) for name, levels in found.tables.items()}
    head = {"name": found.name, "doc": _doc(found.function), "paper": found.paper}
    rest = {
        "version": found.version,
        "family": found.family,
        "monotone": found.monotone,
        "tables": tables,
        "fields": [],
    }
    return {**head, "origin": found.origin or origin(found.module), **rest}


def _component(found: Any) -> dict[str, Any]:
    head = {"name": found.name, "doc": _doc(found), "paper": found.paper}
    return {**head, "origin": origin(found.__module__), "version": found.version, "fields": _fields(found)}


def _fields(model: Any, prefix: str = "") -> list[dict[str, Any]]:
    """A row a field; those of a field that is itself a set of choices follow it, with a dot."""
    from pydantic_core import PydanticUndefined, to_jsonable_python

    from robustmeta.config.components import Frozen

    rows: list[dict[str, Any]] = []
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Frozen):
            rows += _fields(kind, f"{prefix}{name}.")
            continue
        text = kind.__name__ if isinstance(kind, type) and not getattr(kind, "__args__", ()) else str(kind)
        required = info.default is PydanticUndefined and info.default_factory is None
        default = None if required else to_jsonable_python(info.get_default(call_default_factory=True))
        limits = ", ".join(str(m) for m in info.metadata)
        row = {"name": prefix + name, "type": text.replace("typing.", ""), "required": required, "default": default}
        rows.append({**row, "limits": limits, "description": info.description or ""})
    return rows


def _doc(found: object) -> str:
    import inspect

    return inspect.getdoc(found) or ""
