"""Attacks of a study on supports."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field, SerializeAsAny, SerializerFunctionWrapHandler, model_serializer, model_validator

from robustmeta.config.components import Frozen, SupportAttack, attempt, wrong
from robustmeta.config.entry import Place, Radii, ShiftEntry, Told
from robustmeta.config.find import build, renamed
from robustmeta.config.labels import Described, Label
from robustmeta.shifts.shift import POISON, PoisonStage, Shift


class _Beside(Frozen):
    """What may stand beside the fields of an attack, to check it even where these are wrong."""

    label: Label = ""
    episodes: int | None = Field(default=None, ge=2)
    place: Place = "support"
    eps: Radii = ()
    seed: int = Field(default=5, ge=1)


class SupportAttackShift(ShiftEntry):
    """An attack on the support, to which the learner then adapts; each ``eps`` is a point of a curve.

    The attack's own fields stand beside these. It climbs the loss on ``seed`` images a class, which are neither in the
    support nor measured; accuracy is that of the task's own, clean queries, which it does not see.
    """

    support_attack: SerializeAsAny[SupportAttack]
    place: Place = "support"
    eps: Radii = ()
    seed: int = Field(default=5, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or isinstance(value.get("support_attack"), SupportAttack):
            return value
        fields = dict(value)
        named = {"name": fields.pop("support_attack")}
        own = {k: fields.pop(k) for k in _Beside.model_fields if k in fields}
        beside = [*_Beside.model_fields]

        def made() -> SupportAttack:
            return build("support_attacks", SupportAttack, named | fields, "", beside)

        attack, _ = attempt(((), renamed("name", ("support_attack",), made)), ((), lambda: _Beside.model_validate(own)))
        return {"support_attack": attack, **own}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        own = {k: v for k, v in whole.pop("support_attack").items() if k != "name"}
        return {"support_attack": self.support_attack.name, **whole, **own}

    @model_validator(mode="after")
    def _complete(self) -> "SupportAttackShift":
        attempt(((), self._check_place), ((), self._check_eps))
        return self

    def _check_place(self) -> None:
        if self.place != "support":
            text = f"support attack {self.support_attack.name} acts on the support; got {self.place}"
            raise wrong("place", "attack_place", text, self.place)

    def _check_eps(self) -> None:
        name, largest = self.support_attack.name, self.support_attack.largest
        if not self.eps:
            raise wrong("eps", "missing", "an attack needs eps, such as [0.05, 0.1]", self.eps)
        steps = [round(1000 * e) for e in self.eps]
        if len(set(steps)) < len(steps) or 0 in steps:
            text = f"two eps (or an eps and 0) are the same to 0.001: {list(self.eps)}; a curve has one point at each"
            raise wrong("eps", "eps_steps", text, self.eps)
        if max(self.eps) > largest:
            text = f"eps of support attack {name} is at most {largest:g}; got {list(self.eps)}"
            raise wrong("eps", "eps_largest", text, self.eps)

    def described(self) -> Described:
        """The attack and the fields that are not its defaults."""
        fields = self.support_attack.model_dump(mode="json", exclude_defaults=True)
        return self.support_attack.name, {k: v for k, v in fields.items() if k != "name"}

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point an eps."""
        some, stage = self.some(episodes), PoisonStage(self.support_attack, self.seed)
        notes = self.support_attack.notes()
        return [
            Shift(self.label, "support", "eps", e, some, notes=notes, family=POISON, poison=stage) for e in self.eps
        ]

    def told(self, size: int) -> list[Told]:
        """One line."""
        fields = self.support_attack.model_dump(mode="json")
        settings = ", ".join(f"{k} {v}" for k, v in fields.items() if k != "name")
        radii = "eps " + ", ".join(f"{e:g}" for e in self.eps)
        seeds = f"{self.seed} seed queries a class"
        law = f"support attack {self.support_attack.name}"
        return [Told(self.label, law, "support", radii, f"{settings}; {seeds}" if settings else seeds)]


def poisoned(shifts: Iterable[ShiftEntry]) -> frozenset[str]:
    """The curves of attacks on the support, which have eps as attacks on the query have."""
    return frozenset(curve for entry in shifts if isinstance(entry, SupportAttackShift) for curve in entry.curves)
