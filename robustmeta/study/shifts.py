"""Points of a study's shifts, and what identifies each."""

from typing import Any

from robustmeta.config.components import Attack
from robustmeta.config.study import Study
from robustmeta.core import Shift, Stage

CLEAN = "clean"


def clean_point(episodes: int) -> Shift:
    """The shift that does nothing, measured on so many episodes."""
    return Shift(CLEAN, "query", "", 0.0, episodes)


def points(study: Study) -> list[Shift]:
    """Clean, then every point of every shift, in the order of the study."""
    episodes, size = study.evaluation.episodes, study.images.size
    return [clean_point(episodes), *(p for entry in study.shifts for p in entry.points(size, episodes))]


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
