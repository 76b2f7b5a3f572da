import numpy as np
import pytest
import scipy.stats
import torch

from robustmeta.functional import poisson
from robustmeta.functional.poisson import quantile, shot
from robustmeta.rng import Rng

SCALES = [500, 250, 75, 60, 12, 3, 2.5, 1, 0.5]
LAST = 1 - 2**-24  # the largest draw


def by_scipy(x: np.ndarray, scale: float, u: np.ndarray) -> np.ndarray:
    count = np.clip(scipy.stats.poisson.ppf(u, scale * x), 0, None)
    return np.minimum(count / scale, 1).astype(np.float32)


def draws(n: int) -> torch.Tensor:
    """Uniform ones, after the ends and the borders between cells."""
    edges = torch.arange(0, poisson.CELLS, 37) / poisson.CELLS
    special = torch.cat([torch.tensor([0.0, LAST, 0.5]), edges, edges[1:] - 2**-24])
    return torch.cat([special, Rng(0, ("u",), [0]).uniform(n - len(special))[0]])


@pytest.mark.parametrize("scale", [pytest.param(s, marks=[pytest.mark.slow] * (s not in (60, 3, 0.5))) for s in SCALES])
def test_every_gray_has_scipys_quantiles(scale: float) -> None:
    u = draws(2000).repeat_interleave(256)
    gray = torch.arange(256).repeat(2000)
    got = shot((gray.float() / 255).view(1, 1, 1, -1), scale, u.view(1, 1, 1, -1)).flatten()
    np.testing.assert_array_equal(got.numpy(), by_scipy(gray.numpy() / 255, scale, u.double().numpy()))


@pytest.mark.parametrize("scale", SCALES)
def test_so_has_every_other_brightness(scale: float) -> None:
    u = draws(3000)
    x = Rng(0, ("x",), [0]).uniform(3000)
    got = shot(x.view(1, 1, 1, -1), scale, u.view(1, 1, 1, -1)).flatten()
    np.testing.assert_array_equal(got.numpy(), by_scipy(x[0].double().numpy(), scale, u.double().numpy()))


def test_the_quantile_by_hand() -> None:
    # of mean 1: P(0) = 0.368, P(≤ 1) = 0.736, P(≤ 2) = 0.920
    u = np.array([0, 0.36, 0.37, 0.73, 0.74, 0.91, 0.93, 1])
    assert quantile(u, np.ones(8), 3).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert quantile(u, np.ones(8), 1).tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert quantile(u[:-1], np.zeros(7), 3).tolist() == [0] * 7


def test_black_stays_black_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    u = Rng(0, ("u",), range(3)).uniform(3, 9, 11)
    assert not shot(torch.zeros(3, 3, 9, 11), 5, u).any()
    x = Rng(0, ("x",), range(3)).integers(0, 256, 3, 9, 11).float() / 255
    whole = shot(x, 60, u)
    monkeypatch.setattr(poisson, "BLOCK", 13)
    assert torch.equal(shot(x, 60, u), whole)
