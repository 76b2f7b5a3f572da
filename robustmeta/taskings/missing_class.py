"""Classes of which nothing is known."""

from robustmeta.core import Episodes
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import tasking
from robustmeta.taskings.thin import class_order, shots, thin, whole


@tasking(levels=(0.1, 0.2, 0.4, 0.6, 0.8), paper="Ours")
def missing_class(episodes: Episodes, part: float, rng: Rng) -> Episodes:
    """max(1, ⌊part · way + ½⌋) random classes lose all their support images; at least one class keeps them.

    Of five classes the levels leave out 1, 1, 2, 3 and 4. The query still asks for them, so a learner that names only
    classes it has seen is at most 1 − m / way right. A class missing at a level is missing at a stronger one.
    """
    missing = min(max(1, whole(part * episodes.way + 0.5)), episodes.way - 1)
    keep = shots(episodes)
    return thin(episodes, keep.where(class_order(episodes, rng) >= missing, 0), rng)
