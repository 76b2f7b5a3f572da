"""The entries of ``shifts:``, by the key that says what is done."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from robustmeta.config.attacking import AttackShift
from robustmeta.config.certifying import CertificateShift
from robustmeta.config.corrupting import CorruptionShift
from robustmeta.config.drawing import DrawShift
from robustmeta.config.entry import ShiftEntry
from robustmeta.config.poisoning import SupportAttackShift
from robustmeta.config.sequences import SequenceSet, SequenceShift
from robustmeta.config.sets import SetShift
from robustmeta.config.tasking import TaskingShift

FORMS: Mapping[str, type[ShiftEntry]] = {
    "corruption": CorruptionShift,
    "support": CorruptionShift,
    "query": CorruptionShift,
    "corruptions": SetShift,
    "tasking": TaskingShift,
    "sequence": SequenceShift,
    "sequences": SequenceSet,
    "attack": AttackShift,
    "support_attack": SupportAttackShift,
    "certificate": CertificateShift,
    "support_draws": DrawShift,
}
"""Which entry a key makes."""


def shift_entry(value: Any) -> ShiftEntry:
    """The entry that a mapping stands for, by the key that says what is done."""
    if isinstance(value, ShiftEntry):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("shift", "expected a mapping, such as {{corruption: fog}}")
    forms = {FORMS[key] for key in FORMS if key in value}
    if len(forms) != 1:
        keys = ":, ".join(FORMS)
        raise PydanticCustomError("shift", "{text}", {"text": f"expected one of {keys}:"})
    return forms.pop().model_validate(value)
