"""Certificates of a study."""

from typing import Any

from pydantic import Field, SerializeAsAny, SerializerFunctionWrapHandler, model_serializer, model_validator

from robustmeta.config.components import Certificate, Frozen, attempt, wrong
from robustmeta.config.entry import Radii, ShiftEntry, Told
from robustmeta.config.find import build, renamed
from robustmeta.config.labels import Described, Label
from robustmeta.shifts.shift import Shift


class _Beside(Frozen):
    """What may stand beside the fields of a certificate, to check it even where these are wrong."""

    label: Label = ""
    episodes: int | None = Field(default=None, ge=2)
    sigma: Radii = ()


class CertificateShift(ShiftEntry):
    """A certificate of the adapted classifier's answers to clean queries; each ``sigma`` of its noise is a curve.

    The certificate's own fields stand beside these.
    """

    certificate: SerializeAsAny[Certificate]
    sigma: Radii = ()

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or isinstance(value.get("certificate"), Certificate):
            return value
        fields = dict(value)
        named = {"name": fields.pop("certificate")}
        own = {k: fields.pop(k) for k in _Beside.model_fields if k in fields}
        beside = [*_Beside.model_fields]
        make = renamed("name", ("certificate",), lambda: build("certificates", Certificate, named | fields, "", beside))
        certificate, _ = attempt(((), make), ((), lambda: _Beside.model_validate(own)))
        return {"certificate": certificate, **own}

    @model_serializer(mode="wrap")
    def _flatten(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole = handler(self)
        own = {k: v for k, v in whole.pop("certificate").items() if k != "name"}
        return {"certificate": self.certificate.name, **whole, **own}

    @model_validator(mode="after")
    def _complete(self) -> "CertificateShift":
        if not self.sigma:
            raise wrong("sigma", "missing", "a certificate needs sigma, such as [0.12, 0.25]", self.sigma)
        steps = [round(1000 * s) for s in self.sigma]
        if len(set(steps)) < len(steps) or 0 in steps:
            text = f"two sigma (or a sigma and 0) are the same to 0.001: {list(self.sigma)}"
            raise wrong("sigma", "sigma_steps", text, self.sigma)
        return self

    def described(self) -> Described:
        """The certificate and the fields that are not its defaults."""
        fields = self.certificate.model_dump(mode="json", exclude_defaults=True)
        return self.certificate.name, {k: v for k, v in fields.items() if k != "name"}

    def points(self, size: int, episodes: int) -> list[Shift]:
        """A point a sigma."""
        some, one = self.some(episodes), self.certificate
        return [Shift(self.label, "query", "sigma", s, some, certificate=one, family="certificate") for s in self.sigma]

    def told(self, size: int) -> list[Told]:
        """One line."""
        fields = self.certificate.model_dump(mode="json")
        settings = ", ".join(f"{k} {v}" for k, v in fields.items() if k != "name")
        noise = "sigma " + ", ".join(f"{s:g}" for s in self.sigma)
        return [Told(self.label, f"certificate {self.certificate.name}", "query", noise, settings)]
