"""What every entry of ``shifts:`` is: one curve or several, which says what points these have."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from robustmeta.config.components import Frozen
from robustmeta.config.labels import Described, Label
from robustmeta.shifts.shift import Shift

Place = Literal["support", "query", "both"]


def listed(value: Any) -> Any:
    """A value as a list of one, a list as it is."""
    return value if isinstance(value, list | tuple) else [value]


Severities = Annotated[tuple[Annotated[int, Field(ge=1, le=5)], ...], BeforeValidator(listed)]
Radii = Annotated[tuple[Annotated[float, Field(gt=0)], ...], BeforeValidator(listed)]


@dataclass(frozen=True)
class Told:
    """What a curve is, for people: the law, where it acts, the levels behind its points, and remarks."""

    label: str
    law: str
    place: str
    strengths: str
    remarks: str


class ShiftEntry(Frozen, ABC):
    """An entry of ``shifts:``. ``episodes``: measure on the first so many tasks only."""

    label: Label = ""
    episodes: int | None = Field(default=None, ge=2)

    @abstractmethod
    def described(self) -> Described:
        """What it is called without a label, and what tells it from others of that name."""

    @abstractmethod
    def points(self, size: int, episodes: int) -> list[Shift]:
        """The points of its curves on images of that many pixels and on at most so many tasks."""

    @abstractmethod
    def told(self, size: int) -> list[Told]:
        """A line on each of its curves."""

    @property
    def curves(self) -> tuple[str, ...]:
        """The labels of its curves."""
        return (self.label,)

    @property
    def groups(self) -> dict[str, str]:
        """The groups that its points belong to, and the named set that each is."""
        return {}

    def some(self, episodes: int) -> int:
        """How many of the tasks it is measured on."""
        return min(self.episodes or episodes, episodes)


class SetEntry(ShiftEntry, ABC):
    """An entry that stands for every member of a named set, a curve each; ``groups`` has the one set."""

    @abstractmethod
    def entries(self) -> Sequence[ShiftEntry]:
        """Make the entries that it stands for, each with its label."""

    @cached_property
    def members(self) -> tuple[ShiftEntry, ...]:
        """The entries that it stands for, made once."""
        return tuple(self.entries())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, as pydantic makes it; one that differs makes members of its own."""
        copied = super().model_copy(update=update, deep=deep)
        if copied != self:
            vars(copied).pop("members", None)
        return copied

    def described(self) -> Described:
        """Nothing: its members have names of their own."""
        return "", {}

    @property
    def curves(self) -> tuple[str, ...]:
        """The labels of its members."""
        return tuple(member.label for member in self.members)

    def points(self, size: int, episodes: int) -> list[Shift]:
        """Those of its members, marked with the set."""
        (group,) = self.groups
        return [replace(p, group=group) for member in self.members for p in member.points(size, episodes)]

    def told(self, size: int) -> list[Told]:
        """A line a member."""
        return [told for member in self.members for told in member.told(size)]
