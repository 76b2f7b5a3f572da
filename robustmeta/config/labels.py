"""Labels: what the entries of a study are called in curves, tables and tags."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import Field

from robustmeta.config.components import Frozen, wrong

T = TypeVar("T", bound=Frozen)
PATTERN = r"[a-z0-9._-]+"
Name = Annotated[str, Field(pattern=rf"^{PATTERN}$")]
Label = Annotated[str, Field(pattern=rf"^({PATTERN})?$")]
Described = tuple[str, dict[str, Any]]
"""A name, and the fields that tell it from others of that name."""


def label_all(items: Sequence[T], describe: Callable[[T], Described], where: str) -> list[T]:
    """Give every item without a label its name, plus the fields that differ where a name stands twice.

    Raises:
        ValidationError: two items end up with one label.
    """
    described = [describe(item) for item in items]
    names = [name for item, (name, _) in zip(items, described, strict=True) if not getattr(item, "label", "")]
    out: list[T] = []
    for item, (name, fields) in zip(items, described, strict=True):
        label = getattr(item, "label", "")
        if not label:
            label = slug(name + (_flat_text(fields) if names.count(name) > 1 else ""))
        out.append(item.model_copy(update={"label": label}))
    unique([getattr(item, "label", "") for item in out], where)
    return out


def unique(labels: Sequence[str], where: str) -> None:
    """Raise a ValidationError at ``where`` if a label stands twice ("" is none)."""
    twice = sorted({label for label in labels if label and labels.count(label) > 1})
    if twice:
        text = f"two entries are called {', '.join(twice)}; give each a label of its own"
        raise wrong(where, "labels", text, list(labels))


def slug(text: str) -> str:
    """Text as a label: lower case, other characters as dashes."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-")


def _flat_text(fields: dict[str, Any]) -> str:
    parts: list[str] = []
    for key, value in fields.items():
        if isinstance(value, dict):
            parts.append(_flat_text(value).removeprefix("-"))
        else:
            text = ".".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            parts.append(text if isinstance(value, str | list | tuple) else f"{key}-{text}")
    return "".join(f"-{p}" for p in parts if p)
