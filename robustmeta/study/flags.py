"""The honesty flags of a study: those that its cells store, and those that take several of its results."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robustmeta.attacks.noise import Noise
from robustmeta.config.components import Attack, SupportAttack
from robustmeta.config.flags import CONTROL, FLAGS, RIVAL_POINTS
from robustmeta.config.study import Canvas
from robustmeta.store.results import FLAG_COLUMNS
from robustmeta.study.flagging import Finding, idle, judged, norm_of, percent
from robustmeta.support_attacks.support_noise import SupportNoise

BLACK_BOX = ("square",)
"""Attacks that see no gradient, beside those made through another learner."""
MANY = 1000
"""Classes that are enough for every attack."""


@dataclass(frozen=True, eq=False)
class Attacked:
    """A result under an attack: accuracy by episode, (episodes,), and what its cell stores of flags.

    ``transferred``: it is made through another learner.
    """

    learner: str
    seed: int
    target: str
    way: int
    shift: str
    step: int
    eps: float
    attack: Attack | SupportAttack
    accuracy: NDArray[np.float64]
    stored: Mapping[str, Mapping[str, Any]]
    transferred: bool = False

    @property
    def blind(self) -> bool:
        """Whether it sees no gradient of the network that is measured."""
        return self.transferred or self.attack.name in BLACK_BOX

    def beside(self, others: Sequence["Attacked"], **same: object) -> list["Attacked"]:
        """Others of the same target and training seed; ``same``: attributes that agree besides."""
        wanted = {"seed": self.seed, "target": self.target, **same}
        return [o for o in others if all(getattr(o, k) == v for k, v in wanted.items())]


@dataclass(frozen=True, eq=False)
class Context:
    """All results under attacks, the baseline that gains refer to ("" if none), and the size of images."""

    every: Sequence[Attacked]
    baseline: str
    images: Canvas


Rule = Callable[[Attacked, Context], Finding]


def table(context: Context) -> pd.DataFrame:
    """A row a result under an attack and flag; see ``Results.flags``."""
    rows: list[tuple[Any, ...]] = []
    for one in context.every:
        found = {name: Finding(**record) for name, record in one.stored.items()}
        rules = ON_SUPPORTS if isinstance(one.attack, SupportAttack) else RULES
        found |= {name: rule(one, context) for name, rule in rules.items()}
        for name in FLAGS:
            place = (one.learner, one.seed, one.target, one.shift, one.step, one.eps)
            value = found[name].value
            rows.append((*place, name, found[name].status, math.nan if value is None else value, found[name].text))
    return pd.DataFrame(rows, columns=list(FLAG_COLUMNS))


def failing(flags: pd.DataFrame, fail_on: Sequence[str]) -> list[str]:
    """Why a run fails: a line for each of these flags that warns."""
    reasons: list[str] = []
    for name in fail_on:
        rows = [row for row in flags.to_dict("records") if row["flag"] == name]
        warned = [row for row in rows if row["status"] == "warn"]
        if warned:
            count = f"{len(warned)} of {len(rows)} attacked results"
            reasons.append(f"{name}: {FLAGS[name].says}; {count}, the first: {place(warned[0])}: {warned[0]['text']}")
    return reasons


def place(row: Mapping[Any, Any]) -> str:
    """Where a flag was found, for people."""
    return f"{row['learner']} seed {row['seed']} {row['target']} {row['shift']} eps {row['eps']:g}"


def _eps_nonmonotone(one: Attacked, context: Context) -> Finding:
    curve = one.beside(context.every, learner=one.learner, shift=one.shift)
    smaller = [o for o in curve if o.eps < one.eps]
    if not smaller:
        return idle("it needs a smaller eps of the same curve")
    lowest = min(smaller, key=lambda o: o.accuracy.mean())
    rise = float(one.accuracy.mean() - lowest.accuracy.mean())
    text = f"{percent(one.accuracy.mean())}, and {percent(lowest.accuracy.mean())} at eps {lowest.eps:g}"
    return judged(rise > RIVAL_POINTS, rise, text)


def _blackbox_wins(one: Attacked, context: Context) -> Finding:
    if one.blind or isinstance(one.attack, Noise):
        return idle("it needs an attack that sees gradients of the learner that is measured")
    same = one.beside(context.every, learner=one.learner, step=one.step)
    rivals = [o for o in same if o.blind and norm_of(o.attack) == norm_of(one.attack)]
    if not rivals:
        return idle("the study has no square or transfer attack of this norm and eps")
    return _beaten(one, rivals, RIVAL_POINTS)


def _beaten(one: Attacked, rivals: Sequence[Attacked], limit: float) -> Finding:
    """Whether the strongest of the rivals brings accuracy more than ``limit`` below the attack's, on shared tasks."""
    gaps = {o.shift: _gap(one.accuracy, o.accuracy) for o in rivals}
    name = max(gaps, key=lambda k: gaps[k][0] - gaps[k][1])
    own, other, tasks = gaps[name]
    text = f"{percent(own)} by the attack, {percent(other)} by {name}, first {tasks} tasks"
    return judged(own - other > limit, own - other, text)


def _gap(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float, int]:
    """Two accuracies on the tasks that both have, and how many these are."""
    tasks = min(len(a), len(b))
    return float(a[:tasks].mean()), float(b[:tasks].mean()), tasks


def _few_classes(one: Attacked, context: Context) -> Finding:
    if isinstance(one.attack, SupportAttack):  # they have rules of their own
        return _idle(one, context)
    left_out = [note for note in one.attack.notes(one.way) if note not in one.attack.notes(MANY)]
    text = "; ".join(left_out) or f"nothing is left out for tasks of {one.way} classes"
    return judged(bool(left_out), len(left_out), text)


LARGE = {
    ("linf", 3): lambda n: 8 / 255,
    ("linf", 1): lambda n: 0.2,
    ("l2", 3): lambda n: 0.5 * math.sqrt(n / 3072),
    ("l2", 1): lambda n: 2.0 * math.sqrt(n / 784),
    ("l1", 3): lambda n: 12 * n / 3072,
    ("l1", 1): lambda n: 10 * n / 784,
}
"""By norm and channels: the ε, for n values an image, at which an undefended network is known to fall."""


def _control(one: Attacked, context: Context) -> Finding:
    if not context.baseline:
        return idle("the study has no baseline with a result")
    if isinstance(one.attack, Noise):
        return idle("noise need not break a network")
    if one.transferred:
        return idle("an attack made through another learner need not break a network")
    large = LARGE.get((norm_of(one.attack), context.images.channels))
    if large is None:
        return idle(f"no ε is known to be large in norm {norm_of(one.attack) or '(none)'}")
    least = large(context.images.channels * context.images.size**2)
    curve = one.beside(context.every, learner=context.baseline, shift=one.shift)
    strong = [o for o in curve if o.eps >= least * (1 - 1e-6) and not o.transferred]
    if not strong:
        return idle(f"the baseline has no result at a large eps, {least:.3g} or more")
    top = max(strong, key=lambda o: o.eps)
    left = float(top.accuracy.mean())
    return judged(left > CONTROL, left, f"{context.baseline} keeps {percent(left)} at eps {top.eps:g}")


def _adaptation_bypassed(one: Attacked, context: Context) -> Finding:
    return idle("the attack is on the query, after the learner has adapted")


RULES: Mapping[str, Rule] = {
    "eps_nonmonotone": _eps_nonmonotone,
    "blackbox_wins": _blackbox_wins,
    "few_classes": _few_classes,
    "control": _control,
    "adaptation_bypassed": _adaptation_bypassed,
}


ON_QUERIES = "it concerns attacks on the query"


def _support_noise_wins(one: Attacked, context: Context) -> Finding:
    if isinstance(one.attack, SupportNoise):
        return idle("it is the noise")
    same = one.beside(context.every, learner=one.learner, step=one.step)
    rivals = [o for o in same if isinstance(o.attack, SupportNoise) and norm_of(o.attack) == norm_of(one.attack)]
    if not rivals:
        return idle("the study has no support_noise of this norm and eps")
    return _beaten(one, rivals, 0.0)


def _idle(one: Attacked, context: Context) -> Finding:
    return idle(ON_QUERIES)


ON_SUPPORTS: Mapping[str, Rule] = {
    "eps_nonmonotone": _eps_nonmonotone,
    "blackbox_wins": _idle,
    "few_classes": _idle,
    "control": _idle,
    "noise_wins": _support_noise_wins,
}
"""The same for attacks on the support."""
