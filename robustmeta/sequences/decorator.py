"""Makes a sequence out of a function: for our own files, a user's file, a package or a notebook."""

import copyreg
from collections.abc import Callable, Mapping, Sequence

from robustmeta.declare import facts, reducer, severity_tables
from robustmeta.registry import ComponentError, register
from robustmeta.shifts.sequence import REFERENCES, FrameSequence, Reference, SequenceFunction


def sequence(
    *,
    family: str,
    frames: int | Mapping[str, int],
    reference: Reference = "previous",
    levels: Sequence[object] = (),
    tables: Mapping[str, Sequence[object]] | None = None,
    name: str | None = None,
    validation: bool = False,
    version: int = 1,
    paper: str = "",
    laws: Mapping[str, str] | None = None,
    parity: Mapping[str, str] | None = None,
) -> Callable[[SequenceFunction], FrameSequence]:
    """Turn a generator ``f(x, level, rng)`` of frames into a sequence and register it; x is float (N, C, H, W).

    Draws of frame i come from ``rng.child("frame", i)``, those that frames share from ``rng`` itself.

    Args:
        family: noise, blur, weather, digital, ...
        frames: how many it yields, or for each table how many.
        reference: "previous" or "first": the frame that a prediction is compared with.
        levels: 1 to 5 values that JSON can hold, easy to hard, for images of every size.
        tables: instead of levels, one such sequence for each short side in pixels ("32": ...), all of one length.
        name: the function's, unless given.
        validation: whether it is for tuning only.
        version: raise it when the numbers change.
        paper: where the law stands.
        laws: table -> whose law it belongs to, where published laws differ.
        parity: table -> exact, injected-exact, distributional or none: how equality with a published program is shown.

    Raises:
        ComponentError: levels, tables, frames or a reference that are not so, or a name that is taken.

    >>> @sequence(levels=(0.1,), frames=3, family="digital", name="doc.dimming")
    ... def dimming(x, step, rng):
    ...     for i in range(3):
    ...         yield (1 - i * step) * x
    >>> dimming.frames
    {'levels': 3}
    """

    def wrap(function: SequenceFunction) -> FrameSequence:
        label = name or function.__name__
        checked = severity_tables(f"sequence {label}", levels, tables)
        counts = _counts(label, frames, checked)
        if reference not in REFERENCES:
            raise ComponentError(f"sequence {label}: reference is 'previous' or 'first', got {reference!r}")
        about = facts(function.__module__, paper)
        given = (label, function, checked, counts, reference, family, validation, version)
        made = FrameSequence(*given, **about, laws=dict(laws or {}), parity=dict(parity or {}))
        register("sequences", label, made)
        return made

    return wrap


def _counts(name: str, frames: int | Mapping[str, int], tables: Mapping[str, object]) -> dict[str, int]:
    """Frames of each table, checked: a sequence has at least two."""
    counts = {str(t): n for t, n in frames.items()} if isinstance(frames, Mapping) else dict.fromkeys(tables, frames)
    if counts.keys() != tables.keys() or any(n < 2 for n in counts.values()):
        named = ", ".join(tables)
        raise ComponentError(f"sequence {name}: expected at least 2 frames for each of {named}, got {frames!r}")
    return counts


copyreg.pickle(FrameSequence, reducer("sequences"))
