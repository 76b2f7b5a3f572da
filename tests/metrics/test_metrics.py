import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics import brier_score_loss, log_loss

from robustmeta.metrics.intervals import crossed_interval, episodes_interval, estimate
from robustmeta.metrics.scores import Metric, accuracy, brier, ece, joined, nll, records


def made(episodes: int = 40, queries: int = 25, way: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(episodes * queries, way, generator=generator)
    return logits, torch.randint(0, way, (episodes * queries,), generator=generator)


def table(logits: torch.Tensor, y: torch.Tensor) -> pd.DataFrame:
    return joined([records(logits, y)])


def value(metric, frame: pd.DataFrame, episodes: int = 40) -> float:
    return float(metric.value(metric.statistics(frame, episodes).mean(0)))


def test_metrics_equal_scikit_learn() -> None:
    logits, y = made()
    frame, p = table(logits, y), logits.double().softmax(-1).numpy()
    assert value(accuracy, frame) == pytest.approx((p.argmax(1) == y.numpy()).mean())
    assert value(nll, frame) == pytest.approx(log_loss(y.numpy(), p), rel=1e-6)
    each = [brier_score_loss(y.numpy() == k, p[:, k]) for k in range(5)]
    assert value(brier, frame) == pytest.approx(sum(each), rel=1e-6)


def test_ece_by_hand() -> None:
    """Three queries at confidence 0.9 (two right), one at 0.6 (wrong): (3/4)|2/3 - 0.9| + (1/4)|0 - 0.6|."""
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]], dtype=torch.float64)
    frame = table(p.log(), torch.tensor([0, 0, 1, 1]))
    assert value(ece, frame, 2) == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.6, abs=1e-6)


def test_ece_pools_over_episodes_before_binning() -> None:
    logits, y = made()
    frame = table(logits, y)
    p = logits.double().softmax(-1).numpy()
    top, right = p.max(1), (p.argmax(1) == y.numpy()).astype(float)
    bins = np.minimum((top * 15).astype(int), 14)
    expected = sum(abs((right - top)[bins == b].sum()) for b in range(15)) / len(top)
    assert value(ece, frame) == pytest.approx(expected, abs=1e-6)


def test_tiny_probabilities_keep_a_finite_log() -> None:
    frame = table(torch.tensor([[0.0, 500.0]]), torch.tensor([0]))
    assert frame["logp_true"][0] == pytest.approx(-500)


def test_episode_interval_equals_scipy() -> None:
    values = np.random.default_rng(0).normal(0.7, 0.1, (1, 200))
    expected = stats.ttest_1samp(values[0], 0).confidence_interval()
    got = episodes_interval(values)
    assert got.interval == "episodes"
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))


def test_paired_gain_equals_scipys_paired_test() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(0.7, 0.1, (1, 300, 1))
    b = a + rng.normal(0.02, 0.05, a.shape)
    expected = stats.ttest_rel(b[0, :, 0], a[0, :, 0]).confidence_interval()
    got = estimate(accuracy, b, a)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("between", [(0.03, 0.1), (0.0, 0.1), (0.05, 0.0)])
def test_crossed_interval_covers(between: tuple[float, float]) -> None:
    """Seeds and episodes both random: the 95% interval holds the truth in 90 to 99.5% of 600 made studies."""
    rng, hits = np.random.default_rng(2), 0
    for _ in range(600):
        values = (
            0.7 + rng.normal(0, between[0], (5, 1)) + rng.normal(0, between[1], (1, 60)) + rng.normal(0, 0.1, (5, 60))
        )
        got = crossed_interval(values)
        hits += got.low <= 0.7 <= got.high
    assert 0.9 <= hits / 600 <= 0.995


@pytest.mark.parametrize(("of", "ends"), [(accuracy, (0, 1)), (nll, (0, np.inf))])
def test_an_interval_ends_where_values_do(of: Metric, ends: tuple[float, float]) -> None:
    near, far = np.eye(1, 20)[..., None] * 0.4, 1 - np.eye(1, 20)[..., None] * 0.4
    assert estimate(of, near).low == ends[0]
    assert estimate(of, far).high == pytest.approx(min(ends[1], episodes_interval(far[..., 0]).high))
    assert estimate(of, near, far).low < estimate(of, near, far).mean < 0


def test_fewer_than_three_seeds_give_the_episode_interval_only() -> None:
    values = np.random.default_rng(0).random((3, 50, 1))
    assert estimate(accuracy, values[:2]).interval == "episodes"
    assert estimate(accuracy, values).interval == "seeds x episodes"


def test_bootstrap_of_a_linear_metric_agrees_with_t() -> None:
    logits, y = made(200)
    statistics = ece.statistics(table(logits, y), 200)[None]
    got = estimate(ece, statistics)
    assert got.low < got.mean < got.high
    again = estimate(ece, statistics, statistics)
    assert (again.mean, again.low, again.high) == (0, 0, 0)
