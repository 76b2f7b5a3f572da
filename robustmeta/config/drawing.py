"""Support draws of a study: other clean supports for the same queries."""

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from robustmeta.config.components import attempt, wrong
from robustmeta.config.entry import Place, ShiftEntry, Told, listed
from robustmeta.config.labels import Described
from robustmeta.shifts.shift import DRAWS, Shift

Draws = Annotated[tuple[Annotated[int, Field(ge=2, le=1000)], ...], BeforeValidator(listed)]


class DrawShift(ShiftEntry):
    """Accuracy on the ``worst`` of n clean supports of each task, n from ``support_draws``; each n is a point.

    The first is the task's own; the others are drawn from the images of its classes that are none of its queries.
    """

    support_draws: Draws = Field(min_length=1)
    worst: int = Field(default=1, ge=1)
    place: Place = "support"

    @model_validator(mode="after")
    def _complete(self) -> "DrawShift":
        attempt(((), self._check_place), ((), self._check_draws), ((), self._check_worst))
        return self

    def _check_place(self) -> None:
        if self.place != "support":
            raise wrong("place", "draw_place", f"support draws are of the support; got {self.place}", self.place)

    def _check_draws(self) -> None:
        if len(set(self.support_draws)) < len(self.support_draws):
            text = f"a number of draws stands twice: {list(self.support_draws)}"
            raise wrong("support_draws", "draws", text, self.support_draws)

    def _check_worst(self) -> None:
        least = min(self.support_draws)
        if self.worst > least:
            text = f"of {least} draws at most {least} can be kept; got worst: {self.worst}"
            raise wrong("worst", "worst", text, self.worst)

    def described(self) -> Described:
        """Its key, and how many are kept where that is not one."""
        return "support_draws", {"worst": self.worst} if self.worst > 1 else {}

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point a number of draws."""
        some, notes = self.some(episodes), (f"the mean of the worst {self.worst} draws",) * (self.worst > 1)
        return [
            Shift(self.label, "support", DRAWS, n, some, notes=notes, family="support draws", worst=self.worst)
            for n in self.support_draws
        ]

    def told(self, size: int) -> list[Told]:
        """One line."""
        kept = "the worst" if self.worst == 1 else f"the mean of the worst {self.worst}"
        numbers = "draws " + ", ".join(map(str, self.support_draws))
        law = f"{kept} of several clean supports"
        return [Told(self.label, law, "support", numbers, "Agarwal et al. 2021, arXiv 2110.13953")]

    def small(self, most: int) -> "DrawShift":
        """The same with at most so many draws."""
        draws = tuple(dict.fromkeys(min(n, most) for n in self.support_draws))
        return self.model_copy(update={"support_draws": draws, "worst": min(self.worst, *draws)})
