"""What counts of a classifier's answers under Gaussian noise certify of its smoothed form.

The smoothed form of f answers g(x) = argmax_c P(f(x + ε) = c), ε ~ N(0, σ²I): Cohen, Rosenfeld and Kolter 2019,
Certified Adversarial Robustness via Randomized Smoothing. Counts are (M, way): how often each class was answered.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri
from scipy.stats import beta, binom

ABSTAIN = -1
"""Stands for a class where there is no answer."""

Counts = Int[np.ndarray, "M way"]


def lower_bound(successes: Int[np.ndarray, " M"], draws: int, alpha: float) -> Float[np.ndarray, " M"]:
    """The p with P(Bin(n, p) ≥ k) = α, 0 for k = 0: the one-sided bound of Clopper and Pearson 1934.

    It lies below the true probability in a share 1 − α of cases, or more.

    >>> lower_bound(np.array([0, 10]), 10, 0.001).round(4).tolist()
    [0.0, 0.5012]
    """
    some = np.maximum(successes, 1)
    return np.where(successes > 0, beta.ppf(alpha, some, draws - some + 1), 0.0)


def certify(
    selection: Counts, estimation: Counts, sigma: float, alpha: float
) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Answers, ``ABSTAIN`` where there is none, and radii in L2 within which they do not change: CERTIFY of the paper.

    R = σ Φ⁻¹(p), where p bounds the probability of the class that ``selection`` prefers by its count in ``estimation``,
    draws of their own; an answer where p > 1/2, with R = 0 elsewhere. Each is right with probability 1 − α or more.
    """
    top = selection.argmax(1)
    successes = np.take_along_axis(estimation, top[:, None], 1)[:, 0]
    p = lower_bound(successes, int(estimation[:1].sum()), alpha)
    sure = p > 0.5
    return np.where(sure, top, ABSTAIN), np.where(sure, sigma * ndtri(np.where(sure, p, 0.5)), 0.0)


def predict(counts: Counts, alpha: float) -> Int[np.ndarray, " M"]:
    """Answers of the smoothed form, ``ABSTAIN`` where two classes are too close: PREDICT of the paper.

    The class of the highest count n_A, if a two-sided test at level α (Hung and Fithian 2019) tells it from the second,
    n_B: 2 P(Bin(n_A + n_B, 1/2) ≥ n_A) ≤ α. An answer is another than g(x) with probability α or less.
    """
    order = np.argsort(-counts, axis=1, kind="stable")[:, :2]
    first, second = np.take_along_axis(counts, order, 1).T
    p = np.minimum(1.0, 2 * binom.sf(first - 1, first + second, 0.5))
    return np.where(p <= alpha, order[:, 0], ABSTAIN)


def largest_radius(sigma: float, draws: int, alpha: float) -> float:
    """σ Φ⁻¹(α^{1/n}): the radius of a query that all draws agree on, 0 where even that does not suffice."""
    return max(0.0, float(sigma * ndtri(alpha ** (1 / draws))))
