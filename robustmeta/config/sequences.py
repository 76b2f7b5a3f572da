"""Perturbation sequences of a study, on which the stability of predictions is measured."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, model_validator

from robustmeta.config.components import wrong
from robustmeta.config.corrupting import table_note
from robustmeta.config.entry import SetEntry, Severities, ShiftEntry, Told
from robustmeta.config.find import find, renamed
from robustmeta.config.labels import Described, slug
from robustmeta.registry import sequence_sets, unknown
from robustmeta.shifts.sequence import FrameSequence
from robustmeta.shifts.shift import FrameStage, Shift


def _sequence(value: Any) -> FrameSequence:
    if isinstance(value, FrameSequence):
        return value
    return renamed("name", (), lambda: find("sequences", FrameSequence, value))()


class SequenceShift(ShiftEntry):
    """A perturbation sequence of the query: how often predictions flip from frame to frame.

    ``severity`` is the difficulty (all of them unless given), ``table`` which table of levels.
    """

    sequence: Annotated[FrameSequence, PlainValidator(_sequence), PlainSerializer(lambda s: s.name)]
    severity: Severities = ()
    table: str = "auto"

    @model_validator(mode="after")
    def _complete(self) -> "SequenceShift":
        tables = self.sequence.tables
        if self.table not in ("auto", *tables):
            text = f"{self.sequence.name} has no table {self.table!r}; there is {', '.join(tables)}"
            raise wrong("table", "table", text, self.table)
        top = len(next(iter(tables.values())))
        if any(s > top for s in self.severity) or len(set(self.severity)) < len(self.severity):
            text = f"{self.sequence.name} has the difficulties 1 to {top}, each once; got {list(self.severity)}"
            raise wrong("severity", "severity", text, self.severity)
        return self

    def described(self) -> Described:
        """The sequence."""
        return f"{self.sequence.name.rpartition(':')[2]}-frames", {"table": self.table} if self.table != "auto" else {}

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point a difficulty."""
        table, levels = self.sequence.table(size, self.table)
        note, frames = table_note(table, size, published=bool(self.sequence.paper)), self.sequence.frames[table]
        made: list[Shift] = []
        for severity in self.severity or tuple(range(1, len(levels) + 1)):
            stage = FrameStage(self.sequence, levels[severity - 1], frames)
            point = Shift(self.label, "query", "frames", severity, self.some(episodes), family=self.sequence.family)
            made.append(replace(point, notes=(note,) if note and table != "levels" else (), sequence=stage))
        return made

    def told(self, size: int) -> list[Told]:
        """One line."""
        points = self.points(size, 2)
        listed = "; ".join(f"{p.value:g}: {p.sequence.level}" for p in points if p.sequence)
        law = f"sequence {self.sequence.name}, each frame against the {self.sequence.reference}"
        remarks = "; ".join(points[0].notes) or "as published"
        return [Told(self.label, law, "query", f"difficulty {listed}", remarks)]


class SequenceSet(SetEntry):
    """Every sequence of a named set (imagenet-p, ...) at its first difficulty; the mean flip rate is reported."""

    sequences: str

    @model_validator(mode="after")
    def _known(self) -> "SequenceSet":
        if self.sequences not in sequence_sets():
            text = unknown(self.sequences, sequence_sets(), "set of sequences")
            raise wrong("sequences", "set", text, self.sequences)
        return self

    def entries(self) -> list[SequenceShift]:
        """An entry a sequence."""
        made: list[SequenceShift] = []
        for name in sequence_sets()[self.sequences]:
            one = SequenceShift.model_validate({"sequence": name, "severity": 1, "episodes": self.episodes})
            title = slug(one.described()[0])
            made.append(one.model_copy(update={"label": f"{self.label}.{title}" if self.label else title}))
        return made

    @property
    def groups(self) -> dict[str, str]:
        """Its one group."""
        return {self.label or self.sequences: self.sequences}
