"""Components that are classes, by the tables that name them."""

from collections.abc import Mapping
from typing import Any, TypeVar

from robustmeta.config.components import Component
from robustmeta.registry import resolve

C = TypeVar("C", bound=Component)


def built(kind: str, base: type[C], name: str, fields: Mapping[str, Any]) -> C:
    """The component of that name with some of its fields given."""
    found = resolve(kind, name)
    assert isinstance(found, type)
    assert issubclass(found, base)
    return found.model_validate(fields)


def hold_named(component: Component, name: str, table: Mapping[str, str]) -> None:
    """A table names the decorated class, which names its paper."""
    found = type(component)
    assert (found.name, f"{found.__module__}:{found.__qualname__}") == (name, table[name])
    assert found.paper
