"""What decorators share that make a component out of a function: its levels, its facts, and how it is pickled."""

import json
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from robustmeta.registry import ComponentError, origin, resolve, source_digest

MOST = 5

Tables = dict[str, tuple[object, ...]]


class Declared(Protocol):
    """A component that wraps a function of ``module``."""

    @property
    def function(self) -> Callable[..., Any]:
        """The function that was decorated."""
        ...

    @property
    def module(self) -> str:
        """The module that holds the component."""
        ...


def facts(module: str, paper: str) -> dict[str, str]:
    """Where a component stands and comes from."""
    return {"paper": paper, "source": source_digest(module), "origin": origin(module), "module": module}


def severity_tables(what: str, levels: Sequence[object], tables: Mapping[str, Sequence[object]] | None) -> Tables:
    """Both ways to give levels as one mapping of equally long tables; ``what`` names the component in messages.

    Raises:
        ComponentError: neither or both are given, or a table is not a short sequence of values that JSON can hold.
    """
    if bool(levels) == bool(tables):
        raise ComponentError(f"{what}: give either levels=(...) or tables={{...}}")
    checked = {str(size): level_values(what, values) for size, values in (tables or {"levels": levels}).items()}
    if len({len(values) for values in checked.values()}) > 1:
        lengths = ", ".join(f"{size}: {len(values)}" for size, values in checked.items())
        raise ComponentError(f"{what}: its tables must have equally many levels, got {lengths}")
    if len(checked) > 1 and not any(size.isdecimal() for size in checked):
        raise ComponentError(f"{what}: of several tables one must be named by pixels, such as '32'")
    return checked


def level_values(what: str, values: object) -> tuple[object, ...]:
    """One table of levels, checked. Raises as ``severity_tables`` does."""
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= MOST:
        raise ComponentError(f"{what}: expected 1 to {MOST} levels, such as (0.1, 0.2), got {values!r}")
    try:
        json.dumps(list(values), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ComponentError(f"{what}: a level must be a value that JSON can hold: {error}") from None
    return tuple(values)


def table_for(tables: Mapping[str, tuple[object, ...]], size: int, name: str) -> tuple[str, tuple[object, ...]]:
    """The table of that name, or for ``auto`` the one for images whose short side is ``size``: its name and levels.

    ``auto``: the only table, else the largest published size not above ``size``, else the smallest published.

    Raises:
        KeyError: no table of that name.
    """
    if name != "auto":
        return name, tables[name]
    if len(tables) == 1:
        return next(iter(tables.items()))
    sizes = sorted(int(t) for t in tables if t.isdecimal())
    best = str(max((s for s in sizes if s <= size), default=sizes[0]))
    return best, tables[best]


def reducer(kind: str) -> Callable[[Declared], str | tuple[Any, ...]]:
    """How a component of that kind is pickled: by the name that holds it, for its function no longer stands there."""

    def reduce(made: Declared) -> str | tuple[Any, ...]:
        qualname: str = getattr(made.function, "__qualname__", "")
        module = sys.modules.get(made.module)
        if module is None or not qualname or getattr(module, qualname, None) is not made:
            return made.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        home = module.__file__ if "__digest__" in vars(module) else made.module  # a plug-in file cannot be imported
        return resolve, (kind, f"{home}:{qualname}")

    return reduce
