"""Finds components by name: built-in tables, entry points of other packages, ``module:attr`` and ``file.py:attr``.

Listing names imports nothing heavy: each family's ``__init__`` is a table ``name -> "module:attr"``.
"""

import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from types import ModuleType

from robustmeta.sources import INSTALL, library, named, owner

KINDS = (
    *("domains", "backbones", "methods", "adaptations"),
    *("corruptions", "taskings", "sequences", "attacks", "support_attacks", "certificates", "metrics"),
)


class ComponentError(ValueError):
    """A component that cannot be found or loaded; the message says what to do."""


@dataclass(frozen=True)
class Entry:
    """A name one can use, and where it comes from; ``error`` says why one cannot."""

    kind: str
    name: str
    target: str
    origin: str
    error: str = ""


_registered: dict[tuple[str, str], object] = {}
_plugin_files: dict[tuple[str, str], str] = {}


def register(kind: str, name: str, component: object) -> None:
    """Make a component of a user's file or notebook known; the same definition may register again."""
    old = _registered.get((kind, name))
    if old is not None and _where(old) != _where(component):
        raise ComponentError(f"{kind}: {name!r} is taken by {_where(old)}; give yours another name")
    if name in builtin(kind) and not _where(component).startswith("robustmeta."):
        raise ComponentError(f"{kind}: {name!r} is built in; give yours another name")
    _registered[kind, name] = component


def _where(component: object) -> str:
    function = getattr(component, "function", component)
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"


@cache
def builtin(kind: str) -> dict[str, str]:
    """The built-in table of one kind: ``name -> "module:attr"``."""
    return dict(importlib.import_module(f"robustmeta.{kind}").TABLE)


@cache
def corruption_sets() -> dict[str, tuple[str, ...]]:
    """Named sets of built-in corruptions: set -> names."""
    return dict(importlib.import_module("robustmeta.corruptions").SETS)


@cache
def sequence_sets() -> dict[str, tuple[str, ...]]:
    """Named sets of built-in sequences: set -> names."""
    return dict(importlib.import_module("robustmeta.sequences").SETS)


@cache
def _entry_points(kind: str) -> dict[str, list[EntryPoint]]:
    """Those of other packages by name; of several with one name the first is used."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=f"robustmeta.{kind}"), key=lambda p: (p.name, _package(p))):
        found.setdefault(point.name, []).append(point)
    return found


def _package(point: EntryPoint) -> str:
    return named(point.dist) if point.dist else "?"


def entries(kind: str) -> list[Entry]:
    """All names of a kind, sorted; nothing is imported."""
    found = {n: Entry(kind, n, t, _built_in(n)) for n, t in builtin(kind).items()}
    for name, (point, *_) in _entry_points(kind).items():
        found.setdefault(name, Entry(kind, name, point.value, _package(point)))
    for (k, name), component in _registered.items():
        if k == kind:
            found.setdefault(name, Entry(kind, name, _where(component), _plugin_files.get((k, name), _home(component))))
    return sorted(found.values(), key=lambda e: e.name)


def _built_in(name: str) -> str:
    prefix = name.removesuffix(":*")
    return f"robustmeta, {library(prefix)}" if prefix in INSTALL else "robustmeta"


def _home(component: object) -> str:
    found = owner(_where(component).partition(".")[0])
    return named(found) if found else "this process"


def clashes(kind: str) -> list[Entry]:
    """Entry points of other packages that are not used, for their name is taken."""
    found: list[Entry] = []
    for name, points in _entry_points(kind).items():
        taken = name in builtin(kind)
        error = f"the name is {'built in' if taken else f'taken by {_package(points[0])}'}; it can be used as "
        losers = points if taken else points[1:]
        found += [Entry(kind, name, p.value, _package(p), error + p.value) for p in losers]
    return found


def resolve(kind: str, ref: str) -> object:
    """The component that a study names: a registry name, ``module:attr`` or ``file.py:attr``.

    Raises:
        ComponentError: unknown name (with a suggestion), or a module, file or attribute that fails to load.
    """
    if (kind, ref) in _registered:
        return _registered[kind, ref]
    if ref in builtin(kind):
        return _attr(kind, ref, builtin(kind)[ref])
    if ref in _entry_points(kind):
        return _attr(kind, ref, _entry_points(kind)[ref][0].value)
    if ":" in ref:
        return _attr(kind, ref, ref)
    raise ComponentError(unknown(ref, (e.name for e in entries(kind)), kind[:-1]))


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """The message for an unknown name, with a suggestion where one is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 1, 0.6)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
    return f"unknown {what} {name!r}{hint}"


def _attr(kind: str, ref: str, target: str) -> object:
    module_name, _, attr = target.rpartition(":")
    if not module_name:
        raise ComponentError(f"{kind[:-1]} {ref!r} stands for {target!r}, no object of a module; expected module:attr")
    module = load_file(Path(module_name)) if module_name.endswith(".py") else _import(kind, ref, module_name)
    try:
        return getattr(module, attr)
    except AttributeError:
        names = [n for n in vars(module) if not n.startswith("_")]
        raise ComponentError(f"{module_name}: {unknown(attr, names, 'name')}") from None


def _import(kind: str, ref: str, module: str) -> ModuleType:
    prefix = module.partition(".")[0]
    source = builtin(kind).get(f"{prefix}:*")
    if source:  # a prefix such as albumentations: is served by one of our modules
        return importlib.import_module(source)
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise ComponentError(f"{kind[:-1]} {ref!r}: importing {module} failed: {error}") from error


def load_file(path: Path) -> ModuleType:
    """Run a user's plug-in file once; what it decorates is registered.

    Raises:
        ComponentError: no such file, or the file raises; the message names the file and line.
    """
    path = path.resolve()
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    if not digest:
        raise ComponentError(f"{path}: no such plug-in file")
    name = f"_robustmeta_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    module = sys.modules.get(name)
    if module is not None and module.__dict__.get("__digest__") == digest:
        return module
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ComponentError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__digest__"] = digest
    before = set(_registered)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[name]
        raise ComponentError(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        del sys.modules[name]
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = f":{lines[-1]}" if lines else ""
        raise ComponentError(f"{path}{line}: {type(error).__name__}: {error}") from error
    for key in set(_registered) - before:
        _plugin_files[key] = path.name
    return module


def source_digest(module_name: str) -> str:
    """The sha256 of a module's file if it is not ours, else "" (ours have versions instead).

    A component's identity includes it, so that changing a line of a plug-in changes the cells that use it.
    """
    if module_name.partition(".")[0] == "robustmeta":
        return ""
    module = sys.modules.get(module_name)
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else f"interactive:{module_name}"


def origin(module_name: str) -> str:
    """Where a component comes from, for people: the distribution and its version, or the file."""
    top, module = module_name.partition(".")[0], sys.modules.get(module_name)
    if top == "robustmeta":
        return f"robustmeta {version('robustmeta')}"
    found = None if "__digest__" in getattr(module, "__dict__", {}) else owner(top)
    file = getattr(module, "__file__", None)
    return named(found) if found else Path(file).name if file else module_name
