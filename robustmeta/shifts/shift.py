"""What is done to the tasks of a target, at one strength."""

from dataclasses import dataclass, field

from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.sequence import FrameSequence
from robustmeta.shifts.tasking import Tasking

ENSEMBLE = "ensemble"
"""The family of what is no shift of its own: the worst of several attacks on each query."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A corruption at one level, as part of a shift."""

    corruption: Corruption
    level: object


@dataclass(frozen=True, eq=False)
class Graded:
    """A corruption at a severity of its tables or, with ``severity`` 0, at a level of the user's own."""

    corruption: Corruption
    severity: int
    level: object = None

    def stage(self, size: int, table: str) -> tuple[Stage, str]:
        """The corruption at its level for images of that short side, and the table that the level is from.

        A table that it lacks is one of another corruption of the chain: ``auto`` is taken instead.
        """
        if not self.severity:
            return Stage(self.corruption, self.level), "own"
        used, levels = self.corruption.table(size, table if table in self.corruption.tables else "auto")
        return Stage(self.corruption, levels[self.severity - 1]), used


@dataclass(frozen=True, eq=False)
class TaskStage:
    """A tasking at one level, as part of a shift."""

    tasking: Tasking
    level: object


@dataclass(frozen=True, eq=False)
class FrameStage:
    """A sequence at one level, as part of a shift; ``frames``, how many it has."""

    sequence: FrameSequence
    level: object
    frames: int


@dataclass(frozen=True, eq=False)
class PoisonStage:
    """An attack on the support, as part of a shift; ``seed``: images a class that it sees and nobody measures."""

    attack: object
    seed: int


POISON = "support attack"
"""The family of attacks on the support."""
DRAWS = "draws"
"""The axis of how many clean supports a task is measured on."""


@dataclass(frozen=True, eq=False)
class Shift:
    """What is done to the tasks of a target domain, at one strength. Clean is a shift with no stage.

    Attributes:
        label: names the curve that this point belongs to; unique in a study with ``value``.
        tasking: what is done to the tasks before their images are looked at.
        support, query: corruptions in order.
        sequence: frames of the query, on which the stability of predictions is measured, or None.
        axis: "severity", "eps", "frames", "sigma" or "draws" ("" for clean); value: the strength on it.
        attack: an attack on the query through the adapted classifier, or None; through: label of the learner whose
            classifier that is, "" for the one that is measured.
        poison: an attack on the support, of strength ``value``, or None.
        certificate: what is proved of the answers to the query, with noise of strength ``value``, or None.
        worst: how many of ``value`` draws of the support are kept, those of lowest accuracy; 0 if it draws none.
        episodes: how many of the first episodes it is measured on.
        place: support, query or both. notes: what a reader must know wherever the number appears.
        family: noise, blur, ..., "chain" for a mixture, "attack". group: the set of corruptions that it belongs to.
    """

    label: str
    place: str
    axis: str
    value: float
    episodes: int
    support: tuple[Stage, ...] = ()
    query: tuple[Stage, ...] = ()
    attack: object | None = None
    notes: tuple[str, ...] = field(default=())
    family: str = ""
    group: str = ""
    tasking: tuple[TaskStage, ...] = ()
    sequence: FrameStage | None = None
    certificate: object | None = None
    through: str = ""
    poison: PoisonStage | None = None
    worst: int = 0

    @property
    def step(self) -> int:
        """Its integer place on a curve: the severity, or 1000 x eps or sigma; 0 is clean."""
        return round(1000 * self.value) if self.axis in ("eps", "sigma") else int(self.value)
