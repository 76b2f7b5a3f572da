"""What to do to images: corruptions in order, checked before any pixel is read."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsIndex

from robustmeta.registry import ComponentError, resolve, unknown
from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.shift import Graded, Stage

Named = str | Corruption
Chain = Named | Sequence[Named | tuple[Named, int]]


@dataclass(frozen=True, eq=False)
class Recipe:
    """Corruptions in order; their levels follow when the size of the images is known."""

    parts: tuple[Graded, ...]
    table: str = "auto"

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """The corruptions at their levels for images of a size; the short side decides on the table."""
        return tuple(part.stage(min(height, width), self.table)[0] for part in self.parts)

    def tables(self, height: int, width: int) -> str:
        """The tables that the levels are from, in order."""
        return ", ".join(dict.fromkeys(part.stage(min(height, width), self.table)[1] for part in self.parts))


def recipe(corruption: Chain, severity: int | None = None, table: str = "auto", level: object = None) -> Recipe:
    """Check a corruption or a chain of them and its strength; the arguments are those of ``robustmeta.corrupt``.

    Raises:
        ComponentError: an unknown name, table or severity, or none or two strengths for one corruption.
    """
    chain = [corruption] if isinstance(corruption, str | Corruption) else list(corruption)
    if not chain:
        raise ComponentError("expected at least one corruption, got an empty chain")
    if level is not None:
        return Recipe((_at_level(chain, severity, level),), table)
    if severity is not None and all(isinstance(item, tuple) for item in chain):
        raise ComponentError("every corruption of the chain has its severity already; leave out severity=")
    parts = tuple(_part(item, severity) for item in chain)
    tables = {name for part in parts for name in part.corruption.tables}
    if table != "auto" and table not in tables:
        raise ComponentError(unknown(table, {"auto", *tables}, "severity table"))
    return Recipe(parts, table)


def _at_level(chain: Sequence[object], severity: int | None, level: object) -> Graded:
    if len(chain) > 1 or isinstance(chain[0], tuple) or severity is not None:
        raise ComponentError("level= is for one corruption and stands instead of its severity")
    return Graded(_find(chain[0]), 0, level)


def _part(item: object, severity: int | None) -> Graded:
    match item:
        case (ref, own):
            return _graded(_find(ref), own)
        case _:
            return _graded(_find(item), severity)


def _graded(found: Corruption, severity: object) -> Graded:
    top = len(next(iter(found.tables.values()), ()))
    if not top:
        raise ComponentError(f"{found.name} has no severity table; give level= instead of severity=")
    if isinstance(severity, bool) or not isinstance(severity, SupportsIndex):
        got = "none was given" if severity is None else f"got {severity!r}"
        raise ComponentError(f"{found.name} needs a severity, an integer from 1 to {top}; {got}")
    if not 1 <= operator.index(severity) <= top:
        raise ComponentError(f"{found.name} has the severities 1 to {top}; got {severity}")
    return Graded(found, operator.index(severity))


def _find(ref: object) -> Corruption:
    if not isinstance(ref, str | Corruption):
        text = "a corruption is a name or an object made by @corruption, in a chain also a (name, severity) pair"
        raise ComponentError(f"{text}; got {ref!r}")
    found = resolve("corruptions", ref) if isinstance(ref, str) else ref
    if not isinstance(found, Corruption):
        raise ComponentError(f"{ref} is a {type(found).__name__}, not a corruption")
    return found
