"""Named sets of corruptions in a study."""

from pydantic import model_validator

from robustmeta.config.components import wrong
from robustmeta.config.corrupting import CorruptionShift
from robustmeta.config.entry import Place, SetEntry, Severities
from robustmeta.config.find import find
from robustmeta.config.labels import slug
from robustmeta.registry import corruption_sets, unknown
from robustmeta.shifts.corruption import Corruption


class SetShift(SetEntry):
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
        names = corruption_sets()[self.corruptions]
        if self.table != "auto" and not any(self.table in _corruption(name).tables for name in names):
            text = f"{self.corruptions} has no table {self.table!r}"
            raise wrong("table", "table", text, self.table)
        return self

    def entries(self) -> list[CorruptionShift]:
        """An entry a corruption."""
        made: list[CorruptionShift] = []
        for name in corruption_sets()[self.corruptions]:
            fields = {"place": self.place, "severity": self.severity, "episodes": self.episodes}
            table = self.table if self.table in _corruption(name).tables else "auto"
            one = CorruptionShift.model_validate({"corruption": name, "table": table, **fields})
            title = slug(one.described()[0])
            made.append(one.model_copy(update={"label": f"{self.label}.{title}" if self.label else title}))
        return made

    @property
    def groups(self) -> dict[str, str]:
        """Its one group."""
        place = "" if self.place == "query" else f"-{self.place}"
        return {(self.label or self.corruptions) + place: self.corruptions}


def _corruption(name: str) -> Corruption:
    return find("corruptions", Corruption, name)
