"""Reads YAML safely and remembers where everything stands.

A small, unsurprising dialect: only ``true`` and ``false`` are booleans, ``1e-3`` and ``8/255`` are numbers, ``1:30``
and dates are text, keys are text, a key may stand once, and no tag constructs anything.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from robustmeta.config.components import Location

Position = tuple[int, int]
"""Line and column, counted from 1."""

MAX_CHARACTERS = 200_000
MAX_DEPTH = 40
MAX_VALUES = 20_000
MAX_DIGITS = 300

_PREFIX = "tag:yaml.org,2002:"
_DIGITS = "[0-9]+(_[0-9]+)*"
_RESOLVERS = {
    "null": r"~|null|",
    "bool": r"true|false",
    "int": rf"[-+]?{_DIGITS}",
    "float": rf"[-+]?(\.[0-9]+|{_DIGITS}\.[0-9]*|{_DIGITS}(?=[eE]))([eE][-+]?[0-9]+)?",
    "fraction": r"[-+]?[0-9]+/0*[1-9][0-9]*",
}


def _fraction(text: str) -> float:
    over, under = text.split("/")
    return int(over) / int(under)


_SCALARS: dict[str, Callable[[str], Any]] = {
    _PREFIX + "null": lambda _: None,
    _PREFIX + "bool": {"true": True, "false": False}.__getitem__,
    _PREFIX + "int": int,
    _PREFIX + "float": float,
    _PREFIX + "fraction": _fraction,
    _PREFIX + "str": str,
}


class YamlError(ValueError):
    """Text that is not YAML of our dialect; ``position`` says where."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True)
class Document:
    """A parsed file: its value, and the position of every value and of every key by its place in the file."""

    value: Any
    values: dict[Location, Position] = field(default_factory=dict[Location, Position])
    keys: dict[Location, Position] = field(default_factory=dict[Location, Position])


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with our scalars and a limit on depth; only its composer is used."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        mark = self.peek_event().start_mark
        if self.depth >= MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} levels deep", _position(mark))
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _tag, _pattern in _RESOLVERS.items():
    _Loader.add_implicit_resolver(_PREFIX + _tag, re.compile(rf"({_pattern})\Z"), None)


def read(content: bytes | str) -> Document:
    """Parse one YAML document.

    Raises:
        YamlError: bytes that are not UTF-8, wrong syntax, a key that stands twice, a tag, or too much of something.
    """
    text = content if isinstance(content, str) else _decode(content)
    if len(text) > MAX_CHARACTERS:
        raise YamlError(f"{len(text)} characters; a study has at most {MAX_CHARACTERS}", (1, 1))
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        context = f"{error.context}, " if error.context else ""
        mark = error.problem_mark or error.context_mark
        raise YamlError(f"not valid YAML: {context}{error.problem}", _position(mark) if mark else (1, 1)) from None
    except yaml.reader.ReaderError as error:
        raise YamlError("a control character that YAML does not allow", _where(text[: error.position])) from None
    document = Document(None)
    return Document(_Builder(document).build(node, (), 0), document.values, document.keys) if node else document


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = _where(content[: error.start].decode("utf-8", "replace"))
        raise YamlError(f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8", where) from None


def _where(before: str) -> Position:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _position(mark: yaml.Mark) -> Position:
    return mark.line + 1, mark.column + 1


class _Builder:
    """Turns nodes into plain values. Aliases are expanded, so the number of values is limited."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.left = MAX_VALUES

    def build(self, node: yaml.Node, place: Location, depth: int) -> Any:
        position = _position(node.start_mark)
        self.left -= 1
        if self.left < 0:
            raise YamlError(f"more than {MAX_VALUES} values; do aliases repeat each other?", position)
        if depth > MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} levels deep; does an alias contain itself?", position)
        self.document.values[place] = position
        if isinstance(node, yaml.MappingNode) and node.tag == _PREFIX + "map":
            return self._mapping(node, place, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == _PREFIX + "seq":
            return [self.build(item, (*place, i), depth + 1) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return _scalar(node.tag, node.value, position)
        raise YamlError(f"tag {node.tag.replace(_PREFIX, '!!')} is not allowed here; write a plain value", position)

    def _mapping(self, node: yaml.MappingNode, place: Location, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in node.value:
            position = _position(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                raise YamlError("a key must be plain text", position)
            inner = (*place, key.value)
            if key.value in out:
                line = self.document.keys[inner][0]
                raise YamlError(f"the key {key.value} stands twice; the first is on line {line}", position)
            self.document.keys[inner] = position
            out[key.value] = self.build(value, inner, depth + 1)
        return out


def _scalar(tag: str, text: str, position: Position) -> Any:
    if len(text) > MAX_DIGITS and tag != _PREFIX + "str":
        raise YamlError(f"a number of {len(text)} characters", position)
    try:
        value = _SCALARS[tag](text)
    except (ValueError, KeyError):
        raise YamlError(f"{text!r} is not a {tag.removeprefix(_PREFIX)}", position) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise YamlError(f"{text} is too large for a number", position)
    return value
