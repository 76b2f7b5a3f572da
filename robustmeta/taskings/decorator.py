"""Makes a tasking out of a function: for our own files, a user's file, a package or a notebook."""

import copyreg
from collections.abc import Callable, Sequence

from robustmeta.declare import facts, level_values, reducer
from robustmeta.registry import register
from robustmeta.shifts.tasking import Tasking, TaskingFunction


def tasking(
    *,
    levels: Sequence[object],
    name: str | None = None,
    version: int = 1,
    nested: bool = True,
    paper: str = "",
) -> Callable[[TaskingFunction], Tasking]:
    """Turn ``f(episodes, level, rng) -> episodes`` into a tasking and register it; ``rng`` has one key an episode.

    Args:
        levels: 1 to 5 values that JSON can hold, mild to strong.
        name: the function's, unless given.
        version: raise it when the numbers change.
        nested: whether a stronger level only adds to what a milder one does.
        paper: where the law stands.

    Raises:
        ComponentError: levels that are not so, or a name that is taken.

    >>> @tasking(levels=(1, 2), name="doc.next_class")
    ... def next_class(episodes, step, rng):
    ...     return replace(episodes, support_y=(episodes.support_y + step) % episodes.way)
    >>> next_class.levels
    (1, 2)
    """

    def wrap(function: TaskingFunction) -> Tasking:
        label = name or function.__name__
        checked = level_values(f"tasking {label}", levels)
        made = Tasking(label, function, checked, version, nested, **facts(function.__module__, paper))
        register("taskings", label, made)
        return made

    return wrap


copyreg.pickle(Tasking, reducer("taskings"))
