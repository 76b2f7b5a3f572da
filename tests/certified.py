"""Classifiers whose smoothed form is known, and what must hold of certificates on them."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from robustmeta.certificates.smoothing import Smoothing
from robustmeta.core import Certified
from robustmeta.functional import smoothing
from robustmeta.rng import Rng

SIDE = 3


@dataclass(eq=False)
class Halves:
    """Two classes with the plane w·x + b = 0 between them, ‖w‖ = 2; ``seen`` are the shapes that it was asked for."""

    coupled: bool = False
    seen: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape))
        side = self.side(x)
        return torch.stack([side, -side], -1)

    def side(self, x: Tensor) -> Tensor:
        w = Rng(0, ("w",), [0]).normal(x.shape[-1] * x.shape[-2])[0]
        w = 2 * w / w.norm()
        return ((x - 0.5).flatten(2) @ w[:, None])[..., 0]

    def select(self, tasks: slice) -> "Halves":
        return self


def images(tasks: int, queries: int, side: int = SIDE) -> tuple[Tensor, Rng]:
    """Gray images, with a key each."""
    keys = np.arange(tasks * queries, dtype=np.uint64).reshape(tasks, queries)
    return Rng(1, ("x",), keys).uniform(1, side, side), Rng(0, ("certificate",), keys)


def certified(certificate: Smoothing, sigma: float, tasks: int = 4, queries: int = 25) -> tuple[Certified, Any]:
    """What is certified of Halves, and the true radii |w·x + b| / ‖w‖."""
    x, rng = images(tasks, queries)
    found = certificate.certify(Halves(), x, sigma, rng)
    return found, (Halves().side(x).abs() / 2).double().numpy()


def hold_radius(sigma: float) -> None:
    """No radius is above the truth but by chance, and with many draws they come close to it."""
    few, true = certified(Smoothing(n0=20, n=500), sigma)
    assert (few.radius > true).sum() <= 1, "a radius that does not hold"
    many, true = certified(Smoothing(n0=2000, n=20000), sigma, queries=10)
    inner = (true > 0.15 * sigma) & (true < 1.5 * sigma)
    assert inner.sum() > 10
    off = (true - many.radius)[inner] / sigma
    assert off.min() > -0.02, "a radius that does not hold"
    assert off.max() < 0.1, "a radius that does not come close"


def hold_confidence() -> None:
    """On the plane itself every radius is wrong; no more than a share α of the queries may have one."""
    alpha, queries = 0.1, 2000
    x = torch.full((1, queries, 1, 1, 1), 0.5)
    rng = Rng(0, ("certificate",), np.arange(queries, dtype=np.uint64)[None])
    found = Smoothing(n0=100, n=100, alpha=alpha).certify(Halves(), x, 0.25, rng)
    share = float((found.radius > 0).mean())
    assert share < alpha + 4 * math.sqrt(alpha * (1 - alpha) / queries), f"{share} of the radii do not hold"


def hold_bound() -> None:
    """The bound is SciPy's one-sided interval."""
    for n, alpha in ((1, 0.05), (10, 0.001), (37, 0.2), (1000, 0.001)):
        counts = np.unique(np.linspace(0, n, 12).astype(int))
        exact = [binomtest(int(k), n, alternative="greater").proportion_ci(1 - alpha, "exact").low for k in counts]
        np.testing.assert_allclose(smoothing.lower_bound(counts, n, alpha), exact, rtol=1e-9, atol=1e-12)


def hold_prediction(alpha: float = 0.01) -> None:
    """An answer is given exactly where SciPy's two-sided test tells the two highest counts apart."""
    pairs = [(a, b) for a in range(0, 31) for b in range(0, a + 1) if a + b]
    counts = np.array([(b, a, 0) for a, b in pairs])
    exact = [1 if binomtest(a, a + b, 0.5).pvalue <= alpha else -1 for a, b in pairs]
    assert smoothing.predict(counts, alpha).tolist() == exact
