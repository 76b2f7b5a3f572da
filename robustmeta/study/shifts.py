"""Points of a study's shifts, and what identifies each."""

from typing import Any

from robustmeta.config.components import Attack
from robustmeta.config.study import ShiftEntry, Study
from robustmeta.core import Shift, Stage

CLEAN = "clean"


def clean_point(episodes: int) -> Shift:
    """The shift that does nothing, measured on so many episodes."""
    return Shift(CLEAN, "query", "", 0.0, episodes)


def points(study: Study) -> list[Shift]:
    """Clean, then every point of every shift, in the order of the study."""
    episodes = study.evaluation.episodes
    out = [clean_point(episodes)]
    for entry in study.shifts:
        some = min(entry.episodes or episodes, episodes)
        out += _attacked(entry, some) if entry.attack else _corrupted(entry, study.images.size, some)
    return out


def _attacked(entry: ShiftEntry, episodes: int) -> list[Shift]:
    return [Shift(entry.label, "query", "eps", eps, episodes, attack=entry.attack) for eps in entry.eps]


def _corrupted(entry: ShiftEntry, size: int, episodes: int) -> list[Shift]:
    corruption = entry.corruption
    if corruption is None:
        raise ValueError(f"{entry.label}: a shift needs a corruption or an attack")
    name, levels = ("levels", entry.levels) if entry.levels else corruption.table(size, entry.table)
    note = table_note(name, size, published=bool(corruption.paper))
    out: list[Shift] = []
    for severity in entry.severity or tuple(range(1, len(levels) + 1)):
        stage = (Stage(corruption, levels[severity - 1]),)
        support = stage if entry.place != "query" else ()
        query = stage if entry.place != "support" else ()
        notes = (note,) if note else ()
        out.append(Shift(entry.label, entry.place, "severity", severity, episodes, support, query, notes=notes))
    return out


def table_note(table: str, size: int, *, published: bool) -> str:
    """What must be said of a severity table at an image size, "" for a published one at its own size."""
    if table.isdecimal():
        return "" if int(table) == size else f"robustmeta-{size}: the published {table}-pixel levels at {size} pixels"
    return f"levels {table}: ours, not a published table" if published else ""


def chain_identity(stages: tuple[Stage, ...]) -> list[dict[str, Any]]:
    """What a chain of corruptions is made of, for keys: names, versions, sources and levels."""
    return [
        {
            "name": s.corruption.name,
            "version": s.corruption.version,
            "level": s.level,
            **({"source": s.corruption.source} if s.corruption.source else {}),
        }
        for s in stages
    ]


def identity(shift: Shift) -> dict[str, Any]:
    """What a point of a shift is made of, for keys; labels are not."""
    attack = shift.attack.identity() if isinstance(shift.attack, Attack) else None
    return {
        "support": chain_identity(shift.support),
        "query": chain_identity(shift.query),
        "attack": attack,
        "eps": shift.value if attack else 0.0,
        "episodes": shift.episodes,
    }
