"""Named sets of corruptions in a study."""

from dataclasses import replace

from pydantic import model_validator

from robustmeta.config.components import wrong
from robustmeta.config.corrupting import CorruptionShift
from robustmeta.config.entry import Place, Severities, ShiftEntry, Told
from robustmeta.config.find import find
from robustmeta.config.labels import Described, slug
from robustmeta.registry import corruption_sets, unknown
from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.shift import Shift


class SetShift(ShiftEntry):
    """Every corruption of a named set (imagenet-c, imagenet-c-bar, ...), a curve each; its mean error is reported.

    ``label`` is put before the name of each. Other keys are as for one corruption.
    """

    corruptions: str
    place: Place = "query"
    severity: Severities = ()
    table: str = "auto"

    @model_validator(mode="after")
    def _known(self) -> "SetShift":
        if self.corruptions not in corruption_sets():
            raise wrong(
                "corruptions",
                "set",
                unknown(self.corruptions, corruption_sets(), "set of corruptions"),
                self.corruptions,
            )
        if self.table != "auto" and not any(self.table in m.corruption[0].corruption.tables for m in self.members):
            text = f"{self.corruptions} has no table {self.table!r}"
            raise wrong("table", "table", text, self.table)
        return self

    @property
    def members(self) -> list[CorruptionShift]:
        """The entries that it stands for."""
        made: list[CorruptionShift] = []
        for name in corruption_sets()[self.corruptions]:
            found = find("corruptions", Corruption, name)
            fields = {"place": self.place, "severity": self.severity, "episodes": self.episodes}
            table = self.table if self.table in found.tables else "auto"
            one = CorruptionShift.model_validate({"corruption": name, "table": table, **fields})
            title = slug(one.described()[0])
            made.append(one.model_copy(update={"label": f"{self.label}.{title}" if self.label else title}))
        return made

    def described(self) -> Described:
        """Nothing: its curves have the names of its members."""
        return "", {}

    @property
    def curves(self) -> tuple[str, ...]:
        """The labels of its members."""
        return tuple(member.label for member in self.members)

    def points(self, size: int, episodes: int) -> list[Shift]:
        """Those of its members, marked with the set."""
        whole = [p for member in self.members for p in member.points(size, episodes)]
        return [replace(p, group=self._group) for p in whole]

    @property
    def _group(self) -> str:
        return (self.label or self.corruptions) + ("" if self.place == "query" else f"-{self.place}")

    @property
    def groups(self) -> dict[str, str]:
        """Its one group."""
        return {self._group: self.corruptions}

    def told(self, size: int) -> list[Told]:
        """A line a member."""
        return [told for member in self.members for told in member.told(size)]
