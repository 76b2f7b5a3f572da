"""The worst of several attacks of one norm and eps: a query counts as right only if it is right under all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robustmeta.config.attacking import weaker
from robustmeta.config.components import Attack
from robustmeta.config.study import Study
from robustmeta.shifts.shift import ENSEMBLE, Shift
from robustmeta.store.cells import Store
from robustmeta.study.flagging import norm_of
from robustmeta.study.plan import Plan, Work

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Minimum:
    """The worst case of a learner, seed, target, norm and eps.

    Attributes:
        work: that of one of the attacks, with a shift that stands for all.
        accuracy: by episode, (episodes,), None where one of the attacks has no result.
        coupled: whether answers depend on the other queries. finished: when the last attack was measured.
    """

    work: Work
    accuracy: Array | None
    coupled: bool
    finished: float


def minimum(right: Sequence[NDArray[np.bool_]], *, coupled: bool) -> Array:
    """Accuracy by episode, (episodes,), from what is right under each attack, (episodes, queries).

    Coupled queries of a task are attacked as one set: of them that attack counts which leaves the fewest right.
    """
    every = np.stack(right)
    return every.mean(2).min(0) if coupled else every.all(0).mean(1)


def minima(plan: Plan, store: Store) -> list[Minimum]:
    """The worst cases of a study, for every norm and eps of two attacks or more, on the tasks that all of these have.

    Of an attack that is measured with several numbers of steps, the most steps count.
    """
    less, groups = weaker(plan.study.shifts), dict[tuple[str, int, str, str, int], list[Work]]()
    for w in plan.work:
        shift = w.shift
        if not (w.target and shift) or shift.label in less:
            continue
        if isinstance(shift.attack, Attack) and shift.place == "query":
            place = (w.learner.label, w.seed, w.target.label, norm_of(shift.attack), shift.step)
            groups.setdefault(place, []).append(w)
    several = {place: works for place, works in groups.items() if place[3] and len(works) > 1}
    return [_minimum(works, place[3], plan.study, store) for place, works in several.items()]


def _minimum(works: Sequence[Work], norm: str, study: Study, store: Store) -> Minimum:
    shifts = [w.shift for w in works if w.shift]
    work = replace(works[0], shift=_shift(shifts, norm, [curve for entry in study.shifts for curve in entry.curves]))
    if not all(store.has(w.cell.key) for w in works):
        return Minimum(work, None, False, 0.0)
    episodes = min(s.episodes for s in shifts)
    coupled = any(bool(store.head(w.cell.key)["protocol"]["coupled"]) for w in works)
    right = [_right(store, w.cell.key, s.episodes)[:episodes] for w, s in zip(works, shifts, strict=True)]
    finished = max(store.costs(w.cell.key)["finished"] for w in works)
    return Minimum(work, minimum(right, coupled=coupled), coupled, finished)


def _right(store: Store, key: str, episodes: int) -> NDArray[np.bool_]:
    queries = store.table(key, "queries")
    return (queries["predicted"] == queries["label"]).to_numpy().reshape(episodes, -1)


def _shift(shifts: Sequence[Shift], norm: str, taken: Sequence[str]) -> Shift:
    """A point that stands for several attacks."""
    label = f"ensemble-minimum-{norm}"
    while label in taken:
        label += "-"
    note = f"worst case of each query under {', '.join(s.label for s in shifts)}"
    shared = [n for n in shifts[0].notes if all(n in s.notes for s in shifts)]
    some = min(s.episodes for s in shifts)
    return Shift(label, "query", "eps", shifts[0].value, some, notes=(note, *shared), family=ENSEMBLE)
