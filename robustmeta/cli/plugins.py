"""Whether the components of other packages can be used; only these are imported, and only where there are any."""

from dataclasses import replace

from robustmeta.registry import ComponentError, Entry, builtin, clashes, entries, resolve


def checked(kind: str) -> list[Entry]:
    """All entries of a kind, by name; those of other packages are loaded, and ``error`` says in one line what fails."""
    found = [e if e.name in builtin(kind) else replace(e, error=_line(_fault(e))) for e in entries(kind)]
    return sorted([*found, *clashes(kind)], key=lambda e: (e.name, e.origin))


def _line(text: str) -> str:
    return " ".join(text.split())


def _fault(entry: Entry) -> str:
    try:
        found = resolve(entry.kind, entry.name)
    except ComponentError as error:
        return str(error)
    sample = next((resolve(entry.kind, name) for name in builtin(entry.kind) if not name.endswith(":*")), found)
    if _family(found) == _family(sample):
        return ""
    return f"{entry.target} is {_what(found)}, not one of the {entry.kind}"


def _family(component: object) -> object:
    """What the components of one kind share: the class of an object, the kind of a class of components."""
    from robustmeta.config.components import Component

    if isinstance(component, type):
        return component.kind if issubclass(component, Component) else component
    return type(component)


def _what(component: object) -> str:
    return f"a {type(component).__name__}" if not isinstance(component, type) else f"the class {component.__name__}"
