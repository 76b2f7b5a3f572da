"""What a honesty flag says of one result."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from robustmeta.config.components import Attack, SupportAttack

Status = Literal["pass", "warn", "not run"]


@dataclass(frozen=True)
class Finding:
    """The verdict of a flag; ``value`` is what it was made from, None where it did not run, and ``text`` says why."""

    status: Status
    value: float | None
    text: str

    def record(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


def idle(reason: str) -> Finding:
    """A flag that did not run."""
    return Finding("not run", None, reason)


def judged(warns: bool, value: float, text: str) -> Finding:
    """A flag that did."""
    return Finding("warn" if warns else "pass", float(value), text)


def percent(share: float) -> str:
    """``12.3%``."""
    return f"{100 * share:.1f}%"


def norm_of(attack: Attack | SupportAttack) -> str:
    """The norm that an attack says it keeps to, "" if it does not."""
    return str(dict(attack).get("norm", ""))
