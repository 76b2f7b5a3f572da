"""Components by the names that a study gives them; what is wrong becomes an error of the field ``name``."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from robustmeta.config.components import Component, Location, explained, nested, wrong
from robustmeta.registry import ComponentError, resolve

C = TypeVar("C", bound=Component)
T = TypeVar("T")


def find(kind: str, base: type, ref: object) -> Any:
    """The component class (or corruption) that a name stands for; an error of the field ``name`` if there is none."""
    try:
        found = resolve(kind, str(ref))
    except ComponentError as error:
        raise wrong("name", "unknown_component", str(error), ref) from None
    right = issubclass(found, base) if isinstance(found, type) else isinstance(found, base)
    if not right:
        raise wrong("name", "component", f"{ref} is a {type(found).__name__}, not one of the {kind}", ref)
    lacking = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
    if lacking:
        raise wrong("name", "component", f"{ref} is not complete: it must define {lacking}", ref)
    return found


def build(kind: str, base: type[C], fields: dict[str, Any], default: str = "", beside: Sequence[str] = ()) -> C:
    """A component from its name and fields; raises pydantic's ValidationError with all that is wrong.

    ``beside``: keys that may stand beside its fields, for suggestions.
    """
    name = fields.pop("name", default)
    if not name:
        raise wrong("name", "missing", "a name is required", fields)
    cls = find(kind, base, name)
    try:
        return cls.model_validate(fields)
    except ValidationError as error:
        raise explained(error, [*cls.model_fields, *beside], "unknown_key") from None


def named(kind: str, base: type[Component], default: str = "") -> Callable[[Any], Any]:
    """A validator that makes a component of a name, or of a mapping with a name."""

    def validate(value: Any) -> Any:
        if isinstance(value, base):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            raise PydanticCustomError("component", "expected a mapping with a name, such as {name: ...}")
        return build(kind, base, dict(value), default)

    return validate


def renamed(key: str, place: Location, make: Callable[[], T]) -> Callable[[], T]:
    """The same step, whose errors at ``key`` stand at ``place`` instead."""

    def step() -> T:
        try:
            return make()
        except ValidationError as error:
            moved = [{**e, "loc": place if e["loc"] == (key,) else e["loc"]} for e in error.errors(include_url=False)]
            raise ValidationError.from_exception_data("study", nested(moved)) from None

    return step
