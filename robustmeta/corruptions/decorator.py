"""Makes a corruption out of a function: for our own files, a user's file, a package or a notebook."""

import copyreg
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from robustmeta.declare import facts, reducer, severity_tables
from robustmeta.registry import register
from robustmeta.shifts.corruption import Corruption, CorruptionFunction, Pixels


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
    in_bytes: Callable[[Pixels, Any], Pixels] | None = None,
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
        in_bytes: the same law on images as bytes, ``f(images, level) -> images``, if it is stated on 8 bits and draws
            nothing.

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
        checked = severity_tables(f"corruption {label}", levels, tables)
        given = (label, function, checked, family, version, monotone)
        about = facts(function.__module__, paper)
        made = Corruption(
            *given,
            *about.values(),
            laws=dict(laws or {}),
            parity=dict(parity or {}),
            in_bytes=in_bytes,
            in_threads=not about["source"],
        )
        register("corruptions", label, made)
        return made

    return wrap


copyreg.pickle(Corruption, reducer("corruptions"))
