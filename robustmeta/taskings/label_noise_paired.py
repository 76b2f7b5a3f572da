"""Labels that are taken for one other class."""

from dataclasses import replace

from robustmeta.core import Episodes
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import tasking


@tasking(
    levels=(0.1, 0.2, 0.3, 0.4, 0.45),
    paper="Patrini et al. 2017, Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach (noise "
    "that depends on the class); Han et al. 2018, Co-teaching: Robust Training of Deep Neural Networks with Extremely "
    "Noisy Labels (pair flipping)",
)
def label_noise_paired(episodes: Episodes, p: float, rng: Rng) -> Episodes:
    """P(ỹ = y) = 1 − p and P(ỹ = y + 1 mod way) = p: each support label is taken for the next with probability p.

    The labels are drawn one by one. The classes of a task stand in random order, so the pairs are random too, unlike
    the pairs of similar classes in the first paper. Levels stay below 0.5, where the wrong class would be the rule.
    """
    y = episodes.support_y
    return replace(episodes, support_y=((y + 1) % episodes.way).where(rng.uniform(y.shape[1]) < p, y))
