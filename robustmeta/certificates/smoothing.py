"""Randomised smoothing of an adapted classifier."""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from robustmeta.config.components import Certificate, component
from robustmeta.core import CellError, Certified, Classifier
from robustmeta.functional.smoothing import certify, largest_radius, predict
from robustmeta.rng import Rng, combine

PASS_PIXELS = 256 * 28**2
"""Pixels of a pass, so that memory does not depend on the number of draws; a task's queries are in one in any case."""


@component(
    "smoothing", paper="Cohen et al. 2019, Certified Adversarial Robustness via Randomized Smoothing, CERTIFY, PREDICT"
)
class Smoothing(Certificate):
    """Within R = σ Φ⁻¹(p) in L2 of a query the likeliest answer under noise N(0, σ²I) stays; p bounds its probability.

    ``n0`` draws select a class, ``n`` others bound p by Clopper and Pearson at level ``alpha`` and give the smoothed
    prediction. Noise is not cut to [0, 1]. Of a coupled classifier all queries of a task are one input: they are
    drawn anew together, and a radius holds for the joint change of all of them, so also for that of one alone.
    """

    n0: int = Field(100, ge=1, description="draws that select a class")
    n: int = Field(1000, ge=1, description="draws that bound its probability")
    alpha: float = Field(0.001, gt=0, lt=0.5, description="how often a radius may be wrong")

    @model_validator(mode="after")
    def _can_certify(self) -> "Smoothing":
        if self.alpha ** (1 / self.n) <= 0.5:
            least = int(np.floor(np.log(self.alpha) / np.log(0.5))) + 1
            raise ValueError(f"{self.n} draws certify nothing at alpha {self.alpha:g}; give n: {least} or more")
        return self

    def certify(self, classifier: Classifier, x: Tensor, sigma: float, rng: Rng) -> Certified:
        """Count answers under noise, task by task."""
        parts = [
            self._task(classifier.select(slice(t, t + 1)), x[t], sigma, Rng(rng.seed, rng.stream, rng.keys[t]))
            for t in range(len(x))
        ]
        return Certified(*(np.stack(column) for column in zip(*parts, strict=True)))

    def _task(
        self, classifier: Classifier, x: Tensor, sigma: float, rng: Rng
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        selection = _counts(classifier, x, sigma, rng, 0, self.n0)
        estimation = _counts(classifier, x, sigma, rng, self.n0, self.n0 + self.n)
        return predict(estimation, self.alpha), *certify(selection, estimation, sigma, self.alpha)

    def noisy(self, x: Tensor, sigma: float, rng: Rng) -> Tensor:
        """The queries under their first draw of noise."""
        return x + sigma * draws(rng, 0, 1, tuple(x.shape[2:]))[:, :, 0].to(x.device)

    def passes(self) -> int:
        """Both kinds of draws."""
        return self.n0 + self.n

    def largest(self, sigma: float) -> float:
        """Where all draws agree."""
        return largest_radius(sigma, self.n, self.alpha)

    def confidence(self) -> float:
        """1 − alpha."""
        return 1 - self.alpha


def draws(rng: Rng, start: int, stop: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal draws number start..stop-1 of each key: (*keys, stop - start, *shape).

    A draw is keyed by its query and its number, so it is the same in any batch and for any σ.
    """
    keys = combine(rng.keys[..., None], np.arange(start, stop, dtype=np.uint64))
    return Rng(rng.seed, rng.stream, keys).normal(*shape)


def _counts(classifier: Classifier, x: Tensor, sigma: float, rng: Rng, start: int, stop: int) -> NDArray[np.int64]:
    """How often a task's queries x (Q, C, H, W) are given each class under draws start..stop-1: (Q, way).

    Queries of a coupled classifier are asked for as a set, one draw of all of them at a time.

    Raises:
        CellError: an answer is not finite.
    """
    images, counts = len(x) * x.shape[-1] * x.shape[-2], None
    width = 1 if classifier.coupled else max(1, PASS_PIXELS // images)
    for first in range(start, stop, width):
        noise = draws(rng, first, min(first + width, stop), tuple(x.shape[1:])).to(x.device)
        with torch.no_grad():
            logits = classifier(noise.mul_(sigma).add_(x[:, None]).flatten(0, 1)[None])[0]
        if not torch.isfinite(logits).all():
            raise CellError(f"the logits of a query under noise of sigma {sigma:g} are not finite")
        answers = torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1])
        seen = answers.unflatten(0, (len(x), -1)).sum(1)
        counts = seen if counts is None else counts + seen
    return torch.as_tensor(counts).cpu().numpy()
