"""What a check finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Wrong(Exception):
    """A property that does not hold; the message says what was expected and what was got."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: its name, whether it passed, and what was measured or what is wrong."""

    name: str
    passed: bool
    text: str


def examine(subject: T, checks: Mapping[str, Callable[[T], str]]) -> list[Finding]:
    """Run checks in order; each returns what it measured or raises. If the first fails, the others cannot be judged."""
    findings: list[Finding] = []
    for name, check in checks.items():
        try:
            findings.append(Finding(name, True, check(subject)))
        except Wrong as wrong:
            findings.append(Finding(name, False, str(wrong)))
        except Exception as error:  # whatever somebody else's component raises is a finding
            findings.append(Finding(name, False, f"raised {type(error).__name__}: {error}"))
        if not findings[0].passed:
            break
    return findings
