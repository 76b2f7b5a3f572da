"""``key.path=value`` on the command line: changes to a study before it is validated."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from robustmeta.config.components import Location
from robustmeta.config.yaml import YamlError, read
from robustmeta.registry import unknown


class OverrideError(ValueError):
    """An override that cannot be applied; the message says why."""


@dataclass(frozen=True)
class Override:
    """An override as it was written, and the place that it set."""

    text: str
    place: Location


def apply(study: dict[str, Any], text: str) -> Override:
    """Set one value of a study in place. A list item is named by its index, its label or a name that stands once.

    Raises:
        OverrideError: no ``=``, a value that is not YAML, or a path through something that is not there.
    """
    path, equals, written = text.partition("=")
    if not equals or not path.strip():
        raise OverrideError("expected key.path=value, such as evaluation.shot=1")
    try:
        value = read(written).value
    except YamlError as error:
        raise OverrideError(f"{error} (column {error.position[1]} of the value)") from None
    return Override(text, _set(study, path.strip(), value))


def _set(node: Any, path: str, value: Any) -> Location:
    place: list[int | str] = []
    while True:
        key, rest = _step(node, path, place)
        place.append(key)
        if not rest:
            node[key] = value
            return tuple(place)
        if isinstance(node, dict) and node.get(key) is None:
            node[key] = {}
        node, path = node[key], rest


def _step(node: Any, path: str, place: list[int | str]) -> tuple[int | str, str]:
    """The next key on a path and what remains of it. A mapping takes new keys (validation knows better); a list not."""
    here = ".".join(map(str, place)) or "the study"
    names = _names(node)
    for name in sorted(names, key=len, reverse=True):  # a label may contain dots: the longest that fits
        if path == name or path.startswith(name + "."):
            return names[name], path[len(name) + 1 :]
    head, _, rest = path.partition(".")
    if isinstance(node, list):
        raise OverrideError(f"{here}: {unknown(head, names, 'entry')}")
    if not isinstance(node, dict):
        raise OverrideError(f"{here} is {node!r}, not a mapping; override it whole, such as {here}={{name: ...}}")
    return head, rest


def _names(node: Any) -> dict[str, int | str]:
    if isinstance(node, dict):
        return {key: key for key in node}
    if not isinstance(node, list):
        return {}
    labels = [_label(item) for item in node]
    named: dict[str, int | str] = {n: i for i, n in enumerate(labels) if n and labels.count(n) == 1}
    return named | {str(i): i for i in range(len(node))}


def _label(item: Any) -> str:
    fields: Iterable[str] = ("label", "name", "corruption", "attack")
    return next((str(item[f]) for f in fields if f in item), "") if isinstance(item, dict) else ""
