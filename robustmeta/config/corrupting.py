"""Corruptions of a study: one, a chain of them, or a chain on each side of a task."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from robustmeta.config.components import attempt, wrong
from robustmeta.config.entry import Place, Severities, ShiftEntry, Told, listed
from robustmeta.config.find import find, renamed
from robustmeta.config.labels import Described
from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.shift import Graded, Shift, Stage


@dataclass(frozen=True, eq=False)
class Step:
    """A corruption of a chain, by the name that the study gives it; ``severity`` is its own, 0 for the entry's."""

    name: str
    corruption: Corruption
    severity: int = 0


def _step(item: Any) -> Step:
    if isinstance(item, Step):
        return item
    name, severity = item, 0
    if isinstance(item, Mapping):
        if len(item) != 1:
            raise wrong("name", "step", "expected a name or one pair, such as gaussian_noise: 2", item)
        name, severity = next(iter(item.items()))
    corruption = name if isinstance(name, Corruption) else find("corruptions", Corruption, name)
    top = len(next(iter(corruption.tables.values()), ()))
    if not isinstance(severity, int) or isinstance(severity, bool) or not 0 <= severity <= top:
        text = f"{corruption.name} has the severities 1 to {top}; got {severity!r}"
        raise wrong("name", "severity", text, item)
    return Step(corruption.name if isinstance(name, Corruption) else str(name), corruption, severity)


def _written(chain: tuple[Step, ...]) -> Any:
    """A chain as a study writes it."""
    steps = [{s.name: s.severity} if s.severity else s.name for s in chain]
    return steps[0] if len(steps) == 1 and isinstance(steps[0], str) else steps


def _chain(value: Any) -> tuple[Step, ...]:
    items = listed(value)
    steps = attempt(*(((i,) if isinstance(value, list | tuple) else (), _named(item)) for i, item in enumerate(items)))
    if not steps and value != ():  # the default is none
        raise PydanticCustomError("chain", "expected at least one corruption")
    return tuple(steps)


def _named(item: Any) -> Callable[[], Step]:
    """Making a step of an item, with the error of an unknown name at the item itself."""
    return renamed("name", (), lambda: _step(item))


Chain = Annotated[tuple[Step, ...], PlainValidator(_chain), PlainSerializer(_written)]


class CorruptionShift(ShiftEntry):
    """A corruption, or a chain of them in order, at some severities; each severity is a point of one curve.

    ``corruption`` (a name, module:attr, file.py:attr, albumentations:Name or nrtk:Name, or a chain of them such as
    ``[defocus_blur: 2, gaussian_noise]``) with ``place`` (support, query or both); or ``support`` and ``query``, a
    chain for each. ``severity`` 1 to 5 holds for all that state none of their own; where all do, the curve has one
    point, at the highest of them. ``table`` (which severity table), ``levels`` (own levels instead of a table).
    """

    place: Place = "query"
    corruption: Chain = ()
    support: Chain = ()
    query: Chain = ()
    severity: Severities = ()
    table: str = "auto"
    levels: tuple[Any, ...] = Field(default=(), max_length=5)

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        absent = ("support", "query") if self.corruption else ("corruption", "place")
        absent = absent if self.corruption else (*absent, *(k for k in ("support", "query") if not getattr(self, k)))
        return {k: v for k, v in handler(self).items() if k not in absent}

    @model_validator(mode="after")
    def _complete(self) -> "CorruptionShift":
        if self.corruption and (self.support or self.query):
            raise wrong("corruption", "shift", "expected either corruption: or support: and query:", None)
        if not self.corruption and "place" in self.model_fields_set:
            raise wrong("place", "shift", "support: and query: say where each chain acts; leave out place:", self.place)
        attempt(((), self._check_levels), ((), self._check_table), ((), self._check_severity))
        return self

    def _check_levels(self) -> None:
        if self.levels and (len(self.corruption) != 1 or self.corruption[0].severity):
            raise wrong("levels", "levels", "levels: are those of one corruption, not of a chain", self.levels)
        bare = next((s.name for s in self.steps if not s.corruption.tables), "")
        if bare and not self.levels:
            text = f"{bare} has no severity table: give levels, such as levels: [{{...}}, {{...}}]"
            raise wrong("levels", "missing", text, self.levels)
        check = self.corruption[0].corruption.check if self.levels else None
        if check:
            attempt(*((("levels", i), partial(check, level)) for i, level in enumerate(self.levels)))

    def _check_table(self) -> None:
        known = list(dict.fromkeys(t for s in self.steps for t in s.corruption.tables))
        if self.table not in ("auto", *known) and not self.levels:
            who = " and ".join(dict.fromkeys(s.name for s in self.steps))
            raise wrong("table", "table", f"{who} has no table {self.table!r}; there is {', '.join(known)}", self.table)

    def _check_severity(self) -> None:
        if len(set(self.severity)) < len(self.severity):
            raise wrong("severity", "severity", f"a severity stands twice: {list(self.severity)}", self.severity)
        if self.severity and all(s.severity for s in self.steps):
            raise wrong("severity", "severity", "every corruption of the chain has its severity already", self.severity)
        for step in self.steps:
            top = len(self.levels or next(iter(step.corruption.tables.values()), ()))
            if top and not step.severity and any(s > top for s in self.severity):
                text = f"{step.name} has {top} levels; got {list(self.severity)}"
                raise wrong("severity", "severity", text, self.severity)

    @property
    def sides(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """What is done to the support and to the query."""
        if not self.corruption:
            return self.support, self.query
        return (self.corruption if self.place != "query" else ()), (self.corruption if self.place != "support" else ())

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of both sides."""
        return self.corruption or (*self.support, *self.query)

    @property
    def acts_on(self) -> Place:
        """Where it acts."""
        support, query = self.sides
        return "both" if support and query else "support" if support else "query"

    @property
    def family(self) -> str:
        """That of its corruptions; "chain" where they are of several."""
        families = {s.corruption.family for s in self.steps}
        return families.pop() if len(families) == 1 else "chain"

    @property
    def strengths(self) -> tuple[int, ...]:
        """The severities of its points."""
        own = [s.severity for s in self.steps]
        if all(own):
            return (max(own),)
        most = min(len(self.levels or next(iter(s.corruption.tables.values()))) for s in self.steps if not s.severity)
        return self.severity or tuple(range(1, most + 1))

    def described(self) -> Described:
        """The names of its steps and the place."""
        support, query = ("-".join(s.name.rpartition(":")[2] for s in side) for side in self.sides)
        differing = {"table": self.table} if self.table != "auto" else {}
        if support and query:
            return (f"{query}-both" if support == query else f"{support}-support-{query}"), differing
        return (query or f"{support}-support"), differing

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point a severity."""
        return [self._point(severity, size, episodes) for severity in self.strengths]

    def _point(self, severity: int, size: int, episodes: int) -> Shift:
        made = [[self._stage(step, size, severity) for step in side] for side in self.sides]
        notes = tuple(dict.fromkeys(note for side in made for _, note in side if note))
        support, query = (tuple(stage for stage, _ in side) for side in made)
        some = self.some(episodes)
        return Shift(self.label, self.acts_on, "severity", severity, some, support, query, None, notes, self.family)

    def _stage(self, step: Step, size: int, severity: int) -> tuple[Stage, str]:
        if self.levels:
            return Stage(step.corruption, self.levels[severity - 1]), ""
        stage, table = Graded(step.corruption, step.severity or severity).stage(size, self.table)
        return stage, table_note(table, size, published=bool(step.corruption.paper))

    def told(self, size: int) -> list[Told]:
        """One line."""
        laws = ", ".join(f"{s.name} ({s.corruption.family})" for s in self.steps)
        points = self.points(size, 2)
        listed = "; ".join(f"{p.value:g}: {', '.join(_levels(p))}" for p in points)
        papers = all(s.corruption.paper for s in self.steps)
        owner = "; ".join(points[0].notes) or ("as published" if papers else "as its author gives them")
        return [Told(self.label, laws, self.acts_on, f"severity {listed}", owner)]


def _levels(point: Shift) -> Iterable[str]:
    return dict.fromkeys(str(stage.level) for stage in (*point.support, *point.query))


def table_note(table: str, size: int, *, published: bool) -> str:
    """What must be said of a severity table at an image size, "" for a published one at its own size."""
    if table.isdecimal():
        return "" if int(table) == size else f"robustmeta-{size}: the published {table}-pixel levels at {size} pixels"
    return f"levels {table}: ours, not a published table" if published else ""
