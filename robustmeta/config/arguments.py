"""The arguments that a study gives to a program of others, held against it before anything runs."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from robustmeta.config.components import Location, nested
from robustmeta.registry import unknown


def check_arguments(name: str, level: object, known: Iterable[str], build: Callable[[dict[str, Any]], object]) -> None:
    """Whether a program takes a level; it is built once, with the arguments of the level that are ``known``.

    Raises:
        ValidationError: the level is no mapping, has unknown arguments, or ``build`` raised: all that is wrong, each at
            its argument as far as the program says which.
    """
    known = list(known)
    if not isinstance(level, dict):
        text = f"a level of {name} is a mapping of its arguments ({', '.join(known)}), not {level!r}"
        raise ValidationError.from_exception_data(name, [_problem((), "level", text, level)])
    strange = [a for a in level if a not in known]
    problems = [
        _problem((str(a),), "unknown_key", unknown(str(a), known, f"argument of {name}"), level[a]) for a in strange
    ]
    try:
        build({k: v for k, v in level.items() if k in known})
    except Exception as error:  # what a program raises for an argument is its own affair
        problems += _refused(name, level, error)
    if problems:
        raise ValidationError.from_exception_data(name, problems)


def _refused(name: str, level: object, error: Exception) -> list[InitErrorDetails]:
    """The errors of each argument where the program checks them with pydantic, else one of the level."""
    for found in (error, error.__cause__):
        if isinstance(found, ValidationError):
            return nested(found.errors(include_url=False))
    return [_problem((), "level", f"{name} refuses the level: {type(error).__name__}: {error}", level)]


def _problem(place: Location, kind: str, text: str, value: object) -> InitErrorDetails:
    error = PydanticCustomError(kind, "{text}", {"text": text})  # type: ignore[arg-type]
    return InitErrorDetails(type=error, loc=place, input=value)
