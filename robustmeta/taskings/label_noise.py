"""Labels that are wrong without regard to the class."""

from dataclasses import replace

from robustmeta.core import Episodes
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import tasking


@tasking(
    levels=(0.1, 0.2, 0.3, 0.4, 0.5),
    paper="Angluin and Laird 1988, Learning From Noisy Examples; for several classes: Han et al. 2018, Co-teaching: "
    "Robust Training of Deep Neural Networks with Extremely Noisy Labels (symmetry flipping)",
)
def label_noise(episodes: Episodes, p: float, rng: Rng) -> Episodes:
    """P(ỹ = y) = 1 − p and P(ỹ = k) = p / (way − 1) for k ≠ y: each support label is wrong with probability p.

    The labels are drawn one by one, not an exact share of them: the five labels of a 5-way 1-shot task have no exact
    tenth. A label that is wrong at a mild level is wrong at a stronger one, and in the same way.
    """
    y, way = episodes.support_y, episodes.way
    if way < 2:
        return episodes
    wrong = (y + rng.child("class").integers(1, way, y.shape[1])) % way
    return replace(episodes, support_y=wrong.where(rng.uniform(y.shape[1]) < p, y))
