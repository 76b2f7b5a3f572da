"""Fewer labelled images."""

from robustmeta.core import Episodes
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import tasking
from robustmeta.taskings.thin import shots, thin


@tasking(
    levels=(0.8, 0.6, 0.4, 0.2, 0.1),
    paper="Ours; on other shots than trained for: Cao, Law and Fidler 2020, A Theoretical Analysis of the Number of "
    "Shots in Few-Shot Learning",
)
def fewer_shots(episodes: Episodes, part: float, rng: Rng) -> Episodes:
    """Every class keeps ⌈part · n⌉ of its n support images, at least one. With one shot the episodes stay as they are.

    What a stronger level keeps, a milder one keeps as well. The query is the same, so the accuracies are paired.
    """
    counts = shots(episodes)
    return thin(episodes, (part * counts.double() - 1e-9).ceil().long(), rng)
