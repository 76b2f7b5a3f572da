"""Attacks of a study."""

from typing import Any

from pydantic import Field, SerializeAsAny, SerializerFunctionWrapHandler, model_serializer, model_validator

from robustmeta.config.components import Attack, Frozen, attempt, wrong
from robustmeta.config.entry import Place, Radii, ShiftEntry, Told
from robustmeta.config.find import build, renamed
from robustmeta.config.labels import Described, Label
from robustmeta.shifts.shift import Shift


class _Beside(Frozen):
    """What may stand beside the fields of an attack, to check it even where these are wrong."""

    label: Label = ""
    episodes: int | None = Field(default=None, ge=2)
    place: Place = "query"
    eps: Radii = ()


class AttackShift(ShiftEntry):
    """An attack on the query through the adapted classifier; each ``eps``, a radius of its norm, is a point of a curve.

    The attack's own fields stand beside these. It is measured after it has adapted; the support is clean.
    """

    attack: SerializeAsAny[Attack]
    place: Place = "query"
    eps: Radii = ()

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or isinstance(value.get("attack"), Attack):
            return value
        fields = dict(value)
        name = fields.pop("attack")
        own = {k: fields.pop(k) for k in _Beside.model_fields if k in fields}
        make = renamed("name", ("attack",), lambda: build("attacks", Attack, {"name": name, **fields}, "", [*own]))
        attack, _ = attempt(((), make), ((), lambda: _Beside.model_validate(own)))
        return {"attack": attack, **own}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        own = {k: v for k, v in whole.pop("attack").items() if k != "name"}
        return {"attack": self.attack.name, **whole, **own}

    @model_validator(mode="after")
    def _complete(self) -> "AttackShift":
        attempt(((), self._check_place), ((), self._check_eps))
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

    def described(self) -> Described:
        """The attack and the fields that are not its defaults."""
        fields = self.attack.model_dump(mode="json", exclude_defaults=True)
        return self.attack.name, {k: v for k, v in fields.items() if k != "name"}

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point an eps."""
        some = self.some(episodes)
        return [Shift(self.label, "query", "eps", e, some, attack=self.attack, family="attack") for e in self.eps]

    def told(self, size: int) -> list[Told]:
        """One line."""
        fields = self.attack.model_dump(mode="json")
        settings = ", ".join(f"{k} {v}" for k, v in fields.items() if k != "name")
        radii = "eps " + ", ".join(f"{e:g}" for e in self.eps)
        return [Told(self.label, f"attack {self.attack.name}", "query", radii, settings)]
