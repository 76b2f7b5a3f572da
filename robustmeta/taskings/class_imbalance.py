"""Classes that are not equally frequent."""

import torch

from robustmeta.core import Episodes
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import tasking
from robustmeta.taskings.thin import class_order, shots, thin, whole


@tasking(
    levels=(2, 5, 10, 20, 50),
    paper="Cui et al. 2019, Class-Balanced Loss Based on Effective Number of Samples "
    "(long-tailed sets); in few-shot tasks: Ochal et al. 2023, Few-Shot Learning With Class Imbalance",
)
def class_imbalance(episodes: Episodes, ratio: float, rng: Rng) -> Episodes:
    """Class r of a random order keeps max(1, ⌊shot · ratio^(−r / (way − 1))⌋) images: from shot down to shot / ratio.

    Every task keeps the same numbers of images, of other classes. With few shots the least numbers are 1 and the ratio
    that is reached is lower; with one shot nothing can be left out and the episodes stay as they are.
    """
    shot, way = int(shots(episodes).max()), episodes.way
    tail = [max(1, whole(shot * ratio ** (-r / max(way - 1, 1)))) for r in range(way)]
    return thin(episodes, torch.tensor(tail)[class_order(episodes, rng)], rng)
