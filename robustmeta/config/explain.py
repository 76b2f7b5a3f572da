"""Says what is wrong with a study: one line an error, with its place, what was expected and what was got."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from robustmeta.config.components import Location
from robustmeta.config.overrides import Override
from robustmeta.config.yaml import Document, Position

_EXPECTED = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "model": "a mapping of fields",
    "string": "text",
    "tuple": "a list",
}
_INPUT = "Input should be "


@dataclass(frozen=True)
class Written:
    """A study as it was written: its value after the overrides, and where everything in it comes from."""

    path: str
    value: Any
    document: Document
    overrides: Sequence[Override] = ()


@dataclass(frozen=True)
class _Problem:
    order: tuple[int, Position]
    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.where}: {self.expected}{self.got}"


def explain(error: ValidationError, written: Written) -> list[str]:
    """One line an error, in the order of the file, then of the overrides."""
    details = error.errors(include_url=False)
    failed = [d["loc"] for d in details]
    problems: dict[tuple[str, str], _Problem] = {}
    for detail in details:
        if detail["type"] == "too_short" and any(_inside(loc, detail["loc"]) for loc in failed):
            continue  # an item that failed is not counted; the item's own error says it
        problem = _problem(detail, written)
        other = problems.get((problem.where, problem.got))
        if other and problem.got and other.expected != problem.expected:  # branches of a union
            both = f"{other.expected} or {problem.expected.removeprefix('expected ')}"
            problem = _Problem(problem.order, problem.where, both, problem.got)
        problems[problem.where, problem.got or problem.expected] = problem
    return [str(p) for p in sorted(problems.values(), key=lambda p: (p.order, p.where))]


def _inside(loc: Location, outer: Location) -> bool:
    return len(loc) > len(outer) and loc[: len(outer)] == outer


def _problem(detail: ErrorDetails, written: Written) -> _Problem:
    loc, missing = detail["loc"], detail["type"] == "missing"
    place = _present(written.value, loc)
    shown = (*place, loc[-1]) if missing and loc and loc[-1:] != place[-1:] else place
    expected, got = _wording(detail)
    for number, override in reversed(list(enumerate(written.overrides))):
        n = len(override.place)
        made = place not in written.document.values and override.place[: len(place)] == place
        if place[:n] == override.place or made:
            rest = shown[n:] if place[:n] == override.place else shown
            return _Problem((number + 1, (0, 0)), f"override {_join((override.text, _path(rest)))}", expected, got)
    position = _position(written.document, place, key=detail["type"] == "unknown_key" or shown != place)
    where = f"{written.path}:{position[0]}:{position[1]}"
    return _Problem((0, position), _join((where, _path(shown))), expected, got)


def _present(value: Any, loc: Location) -> Location:
    """The part of a location that the user wrote, without the branches of unions and fields that have defaults."""
    place: list[int | str] = []
    for part in loc:
        inner = _inner(value)
        if part in inner:
            value = inner[part]
            place.append(part)
    return tuple(place)


def _inner(value: Any) -> Mapping[int | str, Any]:
    if isinstance(value, dict):
        return value
    return dict(enumerate(value)) if isinstance(value, list) else {}


def _position(document: Document, place: Location, *, key: bool) -> Position:
    if key and place in document.keys:
        return document.keys[place]
    while place not in document.values and place:
        place = place[:-1]
    return document.values.get(place, (1, 1))


def _path(place: Location) -> str:
    return ".".join(map(str, place))


def _join(parts: tuple[str, str]) -> str:
    return ": ".join(p for p in parts if p)


def _wording(detail: ErrorDetails) -> tuple[str, str]:
    message, kind = detail["msg"], detail["type"]
    if message == "Field required":
        return "a value is required", ""
    got = f"; got {_short(detail['input'])}"
    family, _, rest = kind.partition("_")
    if family in _EXPECTED and rest in ("type", "parsing", "from_float", "attributes_type"):
        return f"expected {_EXPECTED[family]}", got
    if message.startswith(_INPUT):
        return f"expected {message.removeprefix(_INPUT)}", got
    if kind in ("string_pattern_mismatch", "too_short", "too_long"):
        return message[0].lower() + message[1:], got
    return message, ""


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
