"""From what was seen of an attacked point to its honesty flags."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from robustmeta.config.components import Attack
from robustmeta.config.flags import FEW_POINTS, NOISE_DRAWS, SLACK, SPREAD
from robustmeta.study.flagging import Finding, idle, judged, norm_of, percent
from robustmeta.study.further import PASSES, further
from robustmeta.study.honesty import Inspection, Seen

TRANSFERRED = "the attack is made through another learner than the one that is measured"
OF_THE_ATTACK = (
    *("zero_grad", "onestep_beats_iter", "not_converged", "unbounded_fails", "noise_wins", "silent_success"),
)
"""Flags on how an attack fares with the classifier that it sees."""
NAMED = 3
"""Modules that are named; of others there is only the number."""


def flags(seen: Seen, attack: Attack, eps: float) -> dict[str, Finding]:
    """What each flag says that needs this point alone."""
    elsewhere = OF_THE_ATTACK if seen.transferred else ()
    return {name: idle(TRANSFERRED) if name in elsewhere else rule(seen, attack, eps) for name, rule in RULES.items()}


def stored(inspection: Inspection | None) -> dict[str, Any]:
    """What a cell stores of them."""
    if inspection is None:
        return {}
    found = flags(inspection.seen, inspection.attack, inspection.eps)
    return {"flags": {name: finding.record() for name, finding in found.items()}}


def costs(inspection: Inspection | None) -> dict[str, float]:
    """What they cost a cell."""
    return {"flag_passes": inspection.spent} if inspection else {}


def _input_range(seen: Seen, attack: Attack, eps: float) -> Finding:
    return judged(False, 0.0, "all queries lie in [0, 1]")


def _eval_mode(seen: Seen, attack: Attack, eps: float) -> Finding:
    names = ", ".join(seen.training[:NAMED]) + ", ..." * (len(seen.training) > NAMED)
    text = f"in training mode: {names}" if names else "no module is in training mode"
    batch = "; an answer depends on the other queries of its task (batch statistics or transductive)" * seen.coupled
    return judged(bool(names), len(seen.training), text + batch)


def _softmax_out(seen: Seen, attack: Attack, eps: float) -> Finding:
    text = f"{seen.probable} of {seen.probed} outputs could be probabilities"
    return judged(seen.probable == seen.probed, seen.probable / seen.probed, text)


def _randomized(seen: Seen, attack: Attack, eps: float) -> Finding:
    count = "changes" if seen.unsteady else "stays"
    text = f"outputs differ by up to {seen.spread:.2g} in {PASSES} passes, the number of right answers {count}"
    return judged(seen.unsteady or seen.spread > SPREAD, seen.spread, text)


def _dynamic(seen: Seen, attack: Attack, eps: float) -> Finding:
    text = f"a forward pass computes {seen.gradients} gradients; {seen.changed} tensors of the network change"
    return judged(seen.gradients + seen.changed > 0, seen.gradients + seen.changed, text)


def _zero_grad(seen: Seen, attack: Attack, eps: float) -> Finding:
    text = f"{seen.zero} of {seen.upright} queries that are right have a gradient of 0"
    return judged(seen.zero > 0, seen.zero / max(1, seen.upright), text)


def _silent_success(seen: Seen, attack: Attack, eps: float) -> Finding:
    if seen.silent is None:
        return idle(f"it is not known what norm {norm_of(attack) or '(none)'} allows")
    what = "tasks" if seen.coupled else "queries"
    return judged(seen.silent > 0, seen.silent, f"{seen.silent} {what} had fallen and are right in what is returned")


def _norm_violation(seen: Seen, attack: Attack, eps: float) -> Finding:
    range_ = f"pixels up to {seen.outside:.3g} outside [0, 1]" if seen.outside else "all pixels in [0, 1]"
    if seen.part is None:
        return judged(seen.outside > 0, seen.outside, f"{range_}; norm {norm_of(attack) or '(none)'} has no measure")
    text = f"the largest change takes {seen.part:.4f} of ε = {eps:g} in {norm_of(attack)}; {range_}"
    return judged(seen.part > 1 + SLACK or seen.outside > 0, seen.part, text)


Rule = Callable[[Seen, Attack, float], Finding]


def _against(flag: str, needs: str, words: Callable[[Attack], str], limit: float) -> Rule:
    """A rule that a further attack must not bring accuracy more than ``limit`` below the attack's."""

    def rule(seen: Seen, attack: Attack, eps: float) -> Finding:
        if flag not in further(attack):
            return idle(needs)
        if not seen.compared:
            return idle("flag_episodes is 0")
        own, other = seen.right / seen.compared, seen.others[flag] / seen.compared
        text = f"{percent(own)} by the attack, {percent(other)} {words(attack)}, {seen.compared} queries"
        return judged(own - other > limit, own - other, text)

    return rule


def _unbounded_fails(seen: Seen, attack: Attack, eps: float) -> Finding:
    if "unbounded_fails" not in further(attack):
        return idle("it needs an attack with a norm, and noise is none")
    if not seen.compared:
        return idle("flag_episodes is 0")
    left, chance = seen.others["unbounded_fails"] / seen.compared, 1 / seen.way
    limit = chance + 2 * math.sqrt(chance * (1 - chance) / seen.compared)
    text = f"{percent(left)} of {seen.compared} queries are right at the largest ε; at most {percent(limit)} may be"
    return judged(left > limit, left, text)


def _twice(attack: Attack) -> str:
    return f"with {further(attack)['not_converged'].model_dump()['steps']} steps"


RULES: Mapping[str, Rule] = {
    "input_range": _input_range,
    "eval_mode": _eval_mode,
    "softmax_out": _softmax_out,
    "randomized": _randomized,
    "dynamic": _dynamic,
    "zero_grad": _zero_grad,
    "onestep_beats_iter": _against(
        "onestep_beats_iter", "it needs an attack in steps within a ball", lambda _: "by one step", FEW_POINTS
    ),
    "not_converged": _against("not_converged", "it needs an attack in steps", _twice, FEW_POINTS),
    "unbounded_fails": _unbounded_fails,
    "noise_wins": _against(
        "noise_wins",
        "it needs an attack within a ball, other than noise",
        lambda _: f"by the worst of {NOISE_DRAWS} draws of noise",
        0.0,
    ),
    "silent_success": _silent_success,
    "norm_violation": _norm_violation,
}
"""By flag; those that need other results too are in ``study.flags``."""
