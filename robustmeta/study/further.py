"""The further attacks that honesty flags compare an attack with, and what all flags cost."""

from typing import Any

from robustmeta.attacks.noise import Noise
from robustmeta.attacks.pgd import PGD
from robustmeta.config.components import Attack
from robustmeta.config.flags import NOISE_DRAWS
from robustmeta.functional.honesty import PARTS
from robustmeta.functional.projection import BALLS
from robustmeta.study.flagging import norm_of

VERSION = 1
"""Rises when a flag is measured otherwise."""
PROBED, PASSES = 4, 5
"""Tasks whose answers are compared, and how often each is asked for."""


def further(attack: Attack) -> dict[str, Attack]:
    """The attacks that flags compare an attack with, by flag."""
    norm, steps = norm_of(attack), dict(attack).get("steps")
    found: dict[str, Attack] = {}
    if isinstance(steps, int):
        found["not_converged"] = attack.model_copy(update={"steps": 2 * steps})
        if norm in BALLS:
            one = {"norm": norm, "steps": 1, "step_size": 1.0, "random_start": False}
            found["onestep_beats_iter"] = PGD.model_validate(one)
    if norm in PARTS and not isinstance(attack, Noise):
        found["unbounded_fails"] = attack
        if norm in BALLS:
            found["noise_wins"] = Noise.model_validate({"norm": norm, "draws": NOISE_DRAWS})
    return found


def passes(attack: Attack, way: int, call: int, tasks: int, episodes: int, *, transferred: bool = False) -> int:
    """Images that the flags of so many ``tasks`` send forward; ``episodes`` see further attacks.

    ``call``: images that one call on a task's queries sends. An attack that is ``transferred`` from another classifier
    is not compared, nor are gradients looked at.
    """
    if transferred:
        return call * PASSES * min(tasks, PROBED)
    runs = sum(other.passes(way) + 1 for other in further(attack).values())
    return call * (tasks + PASSES * min(tasks, PROBED) + runs * min(tasks, episodes))


def identity(tasks: int, episodes: int) -> dict[str, Any]:
    """What the flags that a cell stores depend on, for its key."""
    return {"version": VERSION, "episodes": min(tasks, episodes)}
