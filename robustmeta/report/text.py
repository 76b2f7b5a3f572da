"""Numbers as text: the one place that rounds."""

from collections.abc import Sequence
from dataclasses import dataclass

from robustmeta.report.findings import ACCURACY, Number

FAILED = "failed"


@dataclass(frozen=True)
class Style:
    """How a metric is printed: multiplied by ``factor``, with ``digits`` after the point and a ``unit``."""

    factor: float
    digits: int
    unit: str

    def value(self, number: Number) -> str:
        """Its mean, or that the cell failed."""
        return self._text(number.mean) if number.there else FAILED

    def change(self, number: Number) -> str:
        """Its mean with a sign, "" if there is none."""
        return self._text(number.mean, "+") if number.there else ""

    def interval(self, number: Number, sign: str = "") -> str:
        """``[low, high]``, "" if there is none."""
        return f"[{self._text(number.low, sign)}, {self._text(number.high, sign)}]" if number.there else ""

    def _text(self, x: float, sign: str = "") -> str:
        rounded = round(x * self.factor, self.digits) + 0.0  # no negative zero
        return f"{rounded:{sign}.{self.digits}f}".replace("-", "−")


PERCENT = Style(100, 1, "%")
PLAIN = Style(1, 3, "")


def style(metric: str) -> Style:
    """How a metric is printed."""
    return PERCENT if metric == ACCURACY else PLAIN


def percent(number: Number) -> str:
    """``91.2% [90.5, 91.9]``."""
    return f"{PERCENT.value(number)}% {PERCENT.interval(number)}"


def points(number: Number) -> str:
    """``+1.8 points [+1.1, +2.5]``."""
    return f"{PERCENT.change(number)} points {PERCENT.interval(number, '+')}"


def lead(gain: Number) -> str:
    """The size of a gain or of a loss: ``1.8 points [1.1, 2.5]``."""
    size = gain if gain.mean >= 0 else Number(-gain.mean, -gain.high, -gain.low)
    return f"{PERCENT.value(size)} points {PERCENT.interval(size)}"


def enumerated(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
