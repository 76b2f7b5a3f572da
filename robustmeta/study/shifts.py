"""Points of a study's shifts, and what identifies each."""

from dataclasses import replace
from typing import Any

from robustmeta.config.components import Attack, Certificate, SupportAttack
from robustmeta.config.study import Study
from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.sequence import FrameSequence
from robustmeta.shifts.shift import FrameStage, Shift, Stage, TaskStage
from robustmeta.shifts.tasking import Tasking
from robustmeta.study.augment import seen_note

CLEAN = "clean"
ORACLE = "oracle: checkpoints are selected on tasks of the targets themselves"


def clean_point(episodes: int) -> Shift:
    """The shift that does nothing, measured on so many episodes."""
    return Shift(CLEAN, "query", "", 0.0, episodes)


def points(study: Study) -> list[Shift]:
    """Clean, then every point of every shift, in the order of the study."""
    episodes, size = study.evaluation.episodes, study.images.size
    found = [clean_point(episodes), *(p for entry in study.shifts for p in entry.points(size, episodes))]
    return [replace(p, notes=(*p.notes, *_training_notes(study, p))) for p in found]


def _training_notes(study: Study, shift: Shift) -> tuple[str, ...]:
    """What a reader must know of training wherever a number under a shift appears."""
    oracle = (ORACLE,) if study.validation.select == "target_oracle" else ()
    return seen_note(study.training, shift) + oracle


def chain_identity(stages: tuple[Stage, ...]) -> list[dict[str, Any]]:
    """What a chain of corruptions is made of, for keys: names, versions, sources and levels."""
    return [_law(s.corruption, s.level) for s in stages]


def tasking_identity(stages: tuple[TaskStage, ...]) -> list[dict[str, Any]]:
    """The same of taskings."""
    return [_law(s.tasking, s.level) for s in stages]


def sequence_identity(stage: FrameStage) -> dict[str, Any]:
    """The same of a sequence."""
    return _law(stage.sequence, stage.level)


def _law(law: Corruption | Tasking | FrameSequence, level: object) -> dict[str, Any]:
    source = {"source": law.source} if law.source else {}
    return {"name": law.name, "version": law.version, "level": level, **source}


def identity(shift: Shift) -> dict[str, Any]:
    """What a point of a shift is made of, for keys; labels are not."""
    attack = shift.attack.identity() if isinstance(shift.attack, Attack) else None
    return {
        "support": chain_identity(shift.support),
        "query": chain_identity(shift.query),
        "attack": attack,
        "eps": shift.value if attack else 0.0,
        "episodes": shift.episodes,
        **({"tasking": tasking_identity(shift.tasking)} if shift.tasking else {}),
        **({"sequence": sequence_identity(shift.sequence)} if shift.sequence else {}),
        **_certificate(shift),
        **_poison(shift),
        **({"support_draws": shift.value, "worst": shift.worst} if shift.worst else {}),
    }


def _certificate(shift: Shift) -> dict[str, Any]:
    if not isinstance(shift.certificate, Certificate):
        return {}
    return {"certificate": shift.certificate.identity(), "sigma": shift.value}


def _poison(shift: Shift) -> dict[str, Any]:
    if not shift.poison or not isinstance(shift.poison.attack, SupportAttack):
        return {}
    attack = shift.poison.attack.identity()
    return {"support_attack": attack, "seed": shift.poison.seed, "support_eps": shift.value}
