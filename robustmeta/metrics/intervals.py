"""95% intervals over episodes, or over seeds and episodes, of a mean or of a paired difference."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from robustmeta.metrics.scores import Metric

Array = NDArray[np.float64]
RESAMPLES = 1000
SEEDS_FOR_INTERVAL = 3


class Estimate(NamedTuple):
    """A mean with its 95% interval, and what the interval covers: ``episodes`` or ``seeds x episodes``."""

    mean: float
    low: float
    high: float
    interval: str

    def within(self, most: float) -> "Estimate":
        """With an interval that ends where values do, at 0 and ``most``; Student's t reaches beyond them."""
        return self._replace(low=max(self.low, 0.0), high=min(self.high, most))


def estimate(metric: Metric, values: Array, baseline: Array | None = None) -> Estimate:
    """The metric over seeds and episodes, minus that of a baseline on the same ones if given.

    Args:
        metric: what is estimated.
        values: its statistics (seeds, episodes, k).
        baseline: the baseline's, the same shape, paired by seed and episode.
    """
    if baseline is None:
        own = linear(values[..., 0]) if metric.linear else bootstrap(lambda means: metric.value(means[0]), [values])
        return own.within(metric.most)
    if metric.linear:
        return linear(values[..., 0] - baseline[..., 0])
    return bootstrap(lambda means: metric.value(means[0]) - metric.value(means[1]), [values, baseline])


def linear(values: Array) -> Estimate:
    """The mean over seeds and episodes, (seeds, episodes); seeds are random where there are enough."""
    return episodes_interval(values) if len(values) < SEEDS_FOR_INTERVAL else crossed_interval(values)


def episodes_interval(values: Array) -> Estimate:
    """Student's t over episodes of the mean over seeds. values: (seeds, episodes).

    It says how well these trained networks are measured, not how much another training would differ.
    """
    per_episode = values.mean(0)
    mean, n = float(per_episode.mean()), len(per_episode)
    half = float(stats.t.ppf(0.975, n - 1) * per_episode.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - half, mean + half, "episodes")


def crossed_interval(values: Array) -> Estimate:
    """The mean when seeds and episodes are both random and crossed. values: (S, E) with S, E >= 2.

    Var(mean) = (MS_seed + MS_episode − MS_rest) / (S E), by the two-way random-effects analysis of variance; degrees of
    freedom by Satterthwaite (1946, "An approximate distribution of estimates of variance components", eq. 17).
    """
    s, e = values.shape
    mean = float(values.mean())
    rows, columns = values.mean(1) - mean, values.mean(0) - mean
    rest = values - mean - rows[:, None] - columns[None]
    df = np.array([s - 1, e - 1, (s - 1) * (e - 1)])
    squares = np.array([e * (rows**2).sum(), s * (columns**2).sum(), (rest**2).sum()]) / df
    signs = np.array([1.0, 1.0, -1.0])
    total = float((signs * squares).sum())
    if total <= squares[:2].max():  # the rest cannot explain more than all: keep the larger part alone
        best = int(squares[:2].argmax())
        total, freedom = float(squares[best]), float(df[best])
    else:
        freedom = total**2 / float((squares**2 / df).sum())
    half = float(stats.t.ppf(0.975, max(freedom, 1.0)) * np.sqrt(total / (s * e)))
    return Estimate(mean, mean - half, mean + half, "seeds x episodes")


def bootstrap(statistic: Callable[[Sequence[Array]], Array], arrays: Sequence[Array]) -> Estimate:
    """Percentile bootstrap over episodes, and over seeds too where there are enough (Efron and Tibshirani 1993).

    Args:
        statistic: maps the means over episodes of all arrays, each (..., k), to the value (...) of a seed.
        arrays: each (seeds, episodes, k), paired by seed and episode: all are resampled alike.
    """
    seeds, episodes, _ = arrays[0].shape
    rng = np.random.default_rng(0)
    resample_seeds = seeds >= SEEDS_FOR_INTERVAL
    weight = rng.multinomial(episodes, np.full(episodes, 1 / episodes), RESAMPLES) / episodes  # (R, E)
    if resample_seeds:
        seed_weight = rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds
    else:
        seed_weight = np.full((RESAMPLES, seeds), 1 / seeds)
    mean = float(statistic([a.mean(1) for a in arrays]).mean())
    per_seed = statistic([np.einsum("re,sek->rsk", weight, a, optimize=True) for a in arrays])  # (R, S)
    spread = (per_seed * seed_weight).sum(1)
    low, high = np.quantile(spread, [0.025, 0.975])
    return Estimate(mean, float(low), float(high), "seeds x episodes" if resample_seeds else "episodes")
