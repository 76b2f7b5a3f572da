"""Attacks of a study."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny, SerializerFunctionWrapHandler, model_serializer, model_validator

from robustmeta.config.components import Attack, Frozen, attempt, wrong
from robustmeta.config.entry import Place, Radii, ShiftEntry, Told
from robustmeta.config.find import build, renamed
from robustmeta.config.labels import Described, Label
from robustmeta.shifts.shift import Shift

Counts = tuple[Annotated[int, Field(ge=1)], ...]


class _Beside(Frozen):
    """What may stand beside the fields of an attack, to check it even where these are wrong."""

    label: Label = ""
    episodes: int | None = Field(default=None, ge=2)
    place: Place = "query"
    eps: Radii = ()
    through: Label = ""
    steps: Counts = ()


class AttackShift(ShiftEntry):
    """An attack on the query through the adapted classifier; each ``eps``, a radius of its norm, is a point of a curve.

    The attack's own fields stand beside these. It is measured after it has adapted; the support is clean.
    ``through``: a learner or baseline by its label, whose adapted classifier the attack is made through, so that
    it is a transfer on all others; on that one itself it is the same attack as without. A list of ``steps``, for an
    attack in steps: a curve for each number of them, of which those before the last show how the attack converges.
    """

    attack: SerializeAsAny[Attack]
    place: Place = "query"
    eps: Radii = ()
    through: Label = ""
    steps: Counts = ()

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or isinstance(value.get("attack"), Attack):
            return value
        fields = dict(value)
        name = fields.pop("attack")
        own = {k: fields.pop(k) for k in _Beside.model_fields if k in fields and k != "steps"}
        if isinstance(counts := fields.get("steps"), list | tuple) and counts:
            own["steps"], fields["steps"] = counts, counts[-1]
        make = renamed("name", ("attack",), lambda: build("attacks", Attack, {"name": name, **fields}, "", [*own]))
        attack, _ = attempt(((), make), ((), lambda: _Beside.model_validate(own)))
        return {"attack": attack, **own}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        own = {k: v for k, v in whole.pop("attack").items() if k != "name"}
        counts = whole.pop("steps")
        return {"attack": self.attack.name, **whole, **own, **({"steps": counts} if counts else {})}

    @model_validator(mode="after")
    def _complete(self) -> "AttackShift":
        attempt(((), self._check_place), ((), self._check_eps), ((), self._check_steps))
        return self

    def _check_place(self) -> None:
        if self.place != "query":
            text = f"attack {self.attack.name} acts on the query; got {self.place}"
            raise wrong("place", "attack_place", text, self.place)

    def _check_eps(self) -> None:
        if not self.eps:
            raise wrong("eps", "missing", "an attack needs eps, such as [0.1, 0.2]", self.eps)
        steps = [round(1000 * e) for e in self.eps]
        if len(set(steps)) < len(steps) or 0 in steps:
            text = f"two eps (or an eps and 0) are the same to 0.001: {list(self.eps)}; a curve has one point at each"
            raise wrong("eps", "eps_steps", text, self.eps)
        if max(self.eps) > self.attack.largest:
            text = f"eps of attack {self.attack.name} is at most {self.attack.largest:g}; got {list(self.eps)}"
            raise wrong("eps", "eps_largest", text, self.eps)

    def _check_steps(self) -> None:
        if list(self.steps) != sorted(set(self.steps)):
            text = f"numbers of steps go up, such as [1, 5, 20]; got {list(self.steps)}"
            raise wrong("steps", "steps_order", text, self.steps)

    @property
    def series(self) -> dict[str, Attack]:
        """The attack of each curve by its label: one, or one for each number of steps."""
        if not self.steps:
            return {self.label: self.attack}
        fields = dict(self.attack)
        return {f"{self.label}.steps-{k}": self.attack.model_validate(fields | {"steps": k}) for k in self.steps}

    @property
    def curves(self) -> tuple[str, ...]:
        """The labels of its curves."""
        return tuple(self.series)

    def described(self) -> Described:
        """The attack and the fields that are not its defaults."""
        fields = self.attack.model_dump(mode="json", exclude_defaults=True)
        through = f"-through-{self.through}" if self.through else ""
        return self.attack.name + through, {k: v for k, v in fields.items() if k != "name"}

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point an eps of each curve."""
        some = self.some(episodes)
        plain = Shift("", "query", "eps", 0.0, some, family="attack", through=self.through)
        return [
            replace(plain, label=label, attack=attack, value=e)
            for label, attack in self.series.items()
            for e in self.eps
        ]

    def told(self, size: int) -> list[Told]:
        """A line a curve."""
        radii = "eps " + ", ".join(f"{e:g}" for e in self.eps)
        through = f" through {self.through}" if self.through else ""
        law = f"attack {self.attack.name}{through}"
        return [Told(label, law, "query", radii, _settings(attack)) for label, attack in self.series.items()]


def _settings(attack: Attack) -> str:
    return ", ".join(f"{k} {v}" for k, v in attack.model_dump(mode="json").items() if k != "name")


def over_steps(shifts: Iterable[ShiftEntry]) -> dict[str, dict[str, int]]:
    """Entry -> curve -> number of steps, of the attacks that are measured with several."""
    found = [entry for entry in shifts if isinstance(entry, AttackShift) and len(entry.steps) > 1]
    return {entry.label: dict(zip(entry.curves, entry.steps, strict=True)) for entry in found}


def weaker(shifts: Iterable[ShiftEntry]) -> frozenset[str]:
    """The curves of fewer steps than the same attack has on another curve."""
    return frozenset(curve for curves in over_steps(shifts).values() for curve in [*curves][:-1])


def transfers(shifts: Iterable[ShiftEntry]) -> frozenset[str]:
    """The curves of attacks made through one learner, which are no test of all alike."""
    found = [entry for entry in shifts if isinstance(entry, AttackShift) and entry.through]
    return frozenset(curve for entry in found for curve in entry.curves)
