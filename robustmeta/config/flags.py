"""The honesty flags: signs that a robust accuracy says more of the attack, or of the set-up, than of the learner."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from robustmeta.config.components import Frozen

FEW_POINTS = 0.005
"""Accuracy by which a stronger or weaker run of an attack may be lower."""
RIVAL_POINTS = 0.002
"""Accuracy by which an attack that sees less, or a smaller ε, may be lower."""
CONTROL = 0.05
"""Accuracy that an undefended baseline may keep at a large ε."""
SPREAD = 1e-4
"""Distance that outputs of unit length may have between two passes."""
SLACK = 1e-5
"""Part of ε by which a norm may exceed it, beside what rounding costs."""
NOISE_DRAWS = 10
"""Draws of random noise for each query."""


@dataclass(frozen=True)
class Flag:
    """What a warning means, and when there is one."""

    says: str
    rule: str


FLAGS: dict[str, Flag] = {
    "input_range": Flag("the attack assumes other pixels than it gets", "inputs outside [0, 1] are refused"),
    "eval_mode": Flag("the network answers as in training", "a module is in training mode while it is attacked"),
    "softmax_out": Flag(
        "gradients vanish behind a softmax", "all outputs lie in [0, 1] and sum to 1, each to 1e-5 (AutoAttack)"
    ),
    "randomized": Flag(
        "the answer to an image is random, and one evaluation of it too",
        f"in 5 passes the number of right answers differs, or outputs of unit length by more than {SPREAD:g} in L2 "
        "(AutoAttack)",
    ),
    "dynamic": Flag(
        "the network adapts while it answers, which a gradient does not see",
        "one forward pass computes gradients or changes the network",
    ),
    "zero_grad": Flag(
        "gradient attacks are blind at some queries",
        "a query that is right, and whose loss has a gradient of exactly 0 there",
    ),
    "onestep_beats_iter": Flag(
        "the iterative attack does not climb",
        f"one step of size ε brings accuracy more than {100 * FEW_POINTS:g} points below the attack's, same tasks",
    ),
    "not_converged": Flag(
        "more steps would find more",
        f"twice the steps bring accuracy down by more than {100 * FEW_POINTS:g} points, same tasks",
    ),
    "eps_nonmonotone": Flag(
        "the attack loses at a larger ε what it finds at a smaller one",
        f"accuracy is more than {100 * RIVAL_POINTS:g} points higher than at a smaller ε of the curve",
    ),
    "unbounded_fails": Flag(
        "the attack fails where everything is allowed",
        "accuracy at ε = 1 (L2: √n, L1: n of n values) is above chance + 2 standard errors",
    ),
    "blackbox_wins": Flag(
        "gradients mislead",
        f"an attack that sees no gradient of the network (square, transfer) brings accuracy more than "
        f"{100 * RIVAL_POINTS:g} points below this attack's, same norm, ε and tasks",
    ),
    "noise_wins": Flag(
        "the attack is weaker than chance",
        f"the worst of {NOISE_DRAWS} draws of noise on the surface of the ball brings accuracy below the attack's",
    ),
    "silent_success": Flag(
        "the attack loses what it has found",
        "a query that was wrong within ε while the attack looked, and is right in what it returns (coupled queries: "
        "a task with more of them)",
    ),
    "norm_violation": Flag(
        "the attack leaves its bounds",
        f"a norm above ε (1 + {SLACK:g}) and what rounding costs, or a pixel outside [0, 1]; NaN is refused",
    ),
    "few_classes": Flag("parts of the attack are left out", "the attack drops something for tasks of so few classes"),
    "control": Flag(
        "the attack cannot break even an undefended network",
        f"the baseline keeps more than {100 * CONTROL:g}% at the attack's largest ε, if that is large: L∞ 8/255 for "
        "RGB and 0.2 for gray images, L2 0.5 on 32 × 32 and 2 on 28 × 28, L1 12 and 10, in proportion to √n and n",
    ),
    "adaptation_bypassed": Flag(
        "the attack on the support does not see the learner adapt",
        "no gradient of the seed loss reaches the support, it is exactly 0 at an image there, or it is of first order",
    ),
}
"""By name, as in ``fail_on`` and in MLflow's tags ``flag.<name>``."""


STATUSES = ("warn", "pass", "not run")


def overall(statuses: Iterable[str]) -> str:
    """What several results come to: a warning, else a pass, else that nothing has run."""
    there = set(statuses)
    return next(status for status in STATUSES if status in there)


def _named(value: Any) -> Any:
    """All names for ``all``; an unknown name is an error that suggests a near one."""
    if value == "all":
        return tuple(FLAGS)
    for name in value if isinstance(value, list | tuple) else [value]:
        if name not in FLAGS:
            near = difflib.get_close_matches(str(name), FLAGS, 1, 0.6)
            hint = f"did you mean {near[0]}?" if near else f"known: all, {', '.join(FLAGS)}"
            raise PydanticCustomError("flag", "{text}", {"text": f"no flag is called {name!r}; {hint}"})
    return value if isinstance(value, list | tuple) else (value,)


_SCHEMA = {"anyOf": [{"enum": ["all", *FLAGS]}, {"type": "array", "items": {"enum": [*FLAGS]}}]}
Names = Annotated[tuple[str, ...], BeforeValidator(_named), WithJsonSchema(_SCHEMA)]


class Flags(Frozen):
    """``fail_on``: flags whose warning makes a run end with exit code 1, or ``all``; everything is kept."""

    fail_on: Names = ()
