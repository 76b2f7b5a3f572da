"""How long training goes on under a budget, and when it is checked."""

from bisect import bisect_right
from dataclasses import dataclass

from robustmeta.config.components import Method
from robustmeta.config.study import Validation
from robustmeta.config.training import Budget
from robustmeta.core import StudyError

PASSES_A_SECOND = 2000
"""What plans take a machine to send forward in training: a small network's on one core, for estimates alone."""


@dataclass(frozen=True)
class Pace:
    """A budget in steps of one learner, 0 where it is not trained. With ``seconds`` their number is an estimate."""

    steps: int
    checks: int
    seconds: float = 0.0

    def progress(self, step: int, elapsed: float) -> float:
        """How much of training is over after so many steps and seconds, in [0, 1]."""
        if not self.steps:
            return 1.0
        return min(1.0, elapsed / self.seconds) if self.seconds else step / self.steps

    def due(self, step: int, elapsed: float) -> int:
        """How many checks are due by then; the last is due when training is over."""
        if self.seconds:
            return int(self.checks * self.progress(step, elapsed))
        return bisect_right(check_steps(self.steps, self.checks), step)


def pace(label: str, method: Method, budget: Budget, rule: Validation) -> Pace:
    """The pace of a learner.

    Raises:
        StudyError: the budget does not pay for one step.
    """
    checks, images = 1 if rule.select == "last" else rule.checks, method.diet().images
    if not images:
        return Pace(0, 1)
    if budget.seconds is not None:
        return Pace(max(1, round(budget.seconds * PASSES_A_SECOND / method.passes())), checks, budget.seconds)
    cost, what = (method.gradient_passes(), "gradient passes") if budget.gradient_passes else (images, "images")
    given = budget.gradient_passes or budget.images or 0
    steps = budget.steps or given // cost
    if steps < 1:
        raise StudyError(f"{label}: a step takes {cost} {what}, the budget is {given}")
    return Pace(steps, len(check_steps(steps, checks)))


def check_steps(steps: int, checks: int) -> list[int]:
    """The steps after which validation is measured: evenly spaced, the last one included."""
    return sorted({max(1, round(steps * (i + 1) / checks)) for i in range(checks)})
