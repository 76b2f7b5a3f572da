"""Dirty supports of a study: labels that are wrong, classes that are rare or missing."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from robustmeta.config.components import attempt, wrong
from robustmeta.config.entry import Severities, ShiftEntry, Told
from robustmeta.config.find import find, renamed
from robustmeta.config.labels import Described
from robustmeta.shifts.shift import Shift, TaskStage
from robustmeta.shifts.tasking import Tasking


def _tasking(value: Any) -> Tasking:
    return value if isinstance(value, Tasking) else renamed("name", (), lambda: find("taskings", Tasking, value))()


class TaskingShift(ShiftEntry):
    """A tasking, noise of the support that is not in its pixels, at some severities; each is a point of one curve.

    ``levels``: own levels instead of the tasking's.
    """

    tasking: Annotated[Tasking, PlainValidator(_tasking), PlainSerializer(lambda t: t.name)]
    severity: Severities = ()
    levels: tuple[Any, ...] = Field(default=(), max_length=5)

    @model_validator(mode="after")
    def _complete(self) -> "TaskingShift":
        attempt(((), self._check_severity))
        return self

    def _check_severity(self) -> None:
        top = len(self._strengths)
        if len(set(self.severity)) < len(self.severity):
            raise wrong("severity", "severity", f"a severity stands twice: {list(self.severity)}", self.severity)
        if any(s > top for s in self.severity):
            text = f"{self.tasking.name} has {top} levels; got {list(self.severity)}"
            raise wrong("severity", "severity", text, self.severity)

    @property
    def _strengths(self) -> tuple[Any, ...]:
        return self.levels or self.tasking.levels

    def described(self) -> Described:
        """The tasking."""
        return self.tasking.name.rpartition(":")[2], {}

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point a severity."""
        chosen = self.severity or tuple(range(1, len(self._strengths) + 1))
        return [self._point(severity, episodes) for severity in chosen]

    def _point(self, severity: int, episodes: int) -> Shift:
        stage = TaskStage(self.tasking, self._strengths[severity - 1])
        some = self.some(episodes)
        return Shift(self.label, "support", "severity", severity, some, family="tasks", tasking=(stage,))

    def told(self, size: int) -> list[Told]:
        """One line."""
        listed = "; ".join(f"{p.value:g}: {p.tasking[0].level}" for p in self.points(size, 2))
        return [Told(self.label, f"tasking {self.tasking.name}", "support", f"severity {listed}", self.tasking.paper)]


def dirty(shifts: Iterable[ShiftEntry]) -> frozenset[str]:
    """The curves of dirty supports, which have severities as corruptions have, but change no pixel."""
    return frozenset(curve for entry in shifts if isinstance(entry, TaskingShift) for curve in entry.curves)
