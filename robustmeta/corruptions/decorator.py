"""Makes a corruption out of a function: for our own files, a user's file, a package or a notebook."""

import copyreg
import json
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from robustmeta.core import Corruption, CorruptionFunction
from robustmeta.registry import ComponentError, origin, register, resolve, source_digest

MOST = 5

Tables = dict[str, tuple[object, ...]]


def corruption(
    *,
    family: str,
    levels: Sequence[object] = (),
    tables: Mapping[str, Sequence[object]] | None = None,
    name: str | None = None,
    version: int = 1,
    monotone: bool = True,
    paper: str = "",
    laws: Mapping[str, str] | None = None,
    parity: Mapping[str, str] | None = None,
) -> Callable[[CorruptionFunction], Corruption]:
    """Turn ``f(x, level, rng) -> x`` into a corruption and register it; x is float (N, C, H, W) in [0, 1].

    Args:
        family: noise, blur, weather, digital, ...
        levels: 1 to 5 values that JSON can hold, mild to strong, for images of every size.
        tables: instead of levels, one such sequence for each short side in pixels ("32": ...), all of one length;
            other names are chosen in a study by ``table:``.
        name: the function's, unless given.
        version: raise it when the numbers change.
        monotone: whether the mean distortion grows with the level.
        paper: where the law stands.
        laws: table -> whose law it belongs to, where published laws differ.
        parity: table -> exact, injected-exact, distributional or none: how equality with a published program is shown.

    Raises:
        ComponentError: levels or tables that are not so, or a name that is taken.

    >>> @corruption(levels=(0.9, 0.5), family="digital", name="doc.dim")
    ... def dim(x, factor, rng):
    ...     return factor * x
    >>> dim.table(28)
    ('levels', (0.9, 0.5))
    """

    def wrap(function: CorruptionFunction) -> Corruption:
        label = name or function.__name__
        checked = _tables(label, levels, tables)
        module = function.__module__
        facts = {"paper": paper, "source": source_digest(module), "origin": origin(module), "module": module}
        shown = {"laws": dict(laws or {}), "parity": dict(parity or {})}
        made = Corruption(label, function, checked, family, version, monotone, **facts, **shown)
        register("corruptions", label, made)
        return made

    return wrap


def _tables(name: str, levels: Sequence[object], tables: Mapping[str, Sequence[object]] | None) -> Tables:
    """Both ways to give levels as one mapping, checked."""
    if bool(levels) == bool(tables):
        raise ComponentError(f"corruption {name}: give either levels=(...) or tables={{...}}")
    checked = {str(size): _levels(name, values) for size, values in (tables or {"levels": levels}).items()}
    if len({len(values) for values in checked.values()}) > 1:
        lengths = ", ".join(f"{size}: {len(values)}" for size, values in checked.items())
        raise ComponentError(f"corruption {name}: its tables must have equally many levels, got {lengths}")
    if len(checked) > 1 and not any(size.isdecimal() for size in checked):
        raise ComponentError(f"corruption {name}: of several tables one must be named by pixels, such as '32'")
    return checked


def _levels(name: str, values: object) -> tuple[object, ...]:
    if not isinstance(values, list | tuple) or not 1 <= len(values) <= MOST:
        raise ComponentError(f"corruption {name}: expected 1 to {MOST} levels, such as (0.1, 0.2), got {values!r}")
    try:
        json.dumps(list(values), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ComponentError(f"corruption {name}: a level must be a value that JSON can hold: {error}") from None
    return tuple(values)


def _reduce(made: Corruption) -> str | tuple[Any, ...]:
    """Pickle a corruption by the name that holds it: its function is no longer found under that name."""
    qualname: str = getattr(made.function, "__qualname__", "")
    module = sys.modules.get(made.module)
    if module is None or not qualname or getattr(module, qualname, None) is not made:
        return made.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    home = module.__file__ if "__digest__" in vars(module) else made.module  # a plug-in file is no importable module
    return resolve, ("corruptions", f"{home}:{qualname}")


copyreg.pickle(Corruption, _reduce)
