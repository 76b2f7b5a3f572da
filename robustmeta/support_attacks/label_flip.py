"""Wrong labels in a support, chosen to do the most harm."""

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from robustmeta.config.components import SupportAttack, component
from robustmeta.core import Held, Victim
from robustmeta.rng import Rng
from robustmeta.support_attacks.seed_loss import held_losses
from robustmeta.support_attacks.some import Support

TOGETHER = 16
"""Candidates that adapt side by side."""


@component("label_flip", paper="Biggio, Nelson and Laskov 2011, Support Vector Machines Under Adversarial Label Noise")
class LabelFlip(SupportAttack):
    """Greedily, one label after the other: the image and the wrong label of the highest mean loss of the seeds.

    eps is the share of the support's labels that are flipped, at least one. Every candidate is tried, S (way − 1) a
    flip, each with an adaptation of its own; where that reads features alone these are computed once. An image is
    flipped once; a class may be left without support.
    """

    largest: ClassVar[float] = 1.0
    relabels: ClassVar[bool] = True

    def perturb(self, victim: Victim, support: Support, seed: Support, eps: float, rng: Rng) -> Support:
        """Task by task."""
        x, y = support
        tasks = (victim.select(slice(t, t + 1)).hold(x[t], seed[0][t]) for t in range(len(x)))
        flipped = [self._task(held, y[t], seed[1][t], victim.way, eps) for t, held in enumerate(tasks)]
        return x.clone(), torch.stack(flipped)

    def _task(self, held: Held, y: Tensor, seed_y: Tensor, way: int, eps: float) -> Tensor:
        now, used = y.clone(), torch.zeros_like(y, dtype=torch.bool)
        for _ in range(flips(len(y), eps)):
            tried = _candidates(now, used, way)
            losses = [held_losses(held, labels, seed_y) for labels in tried.split(TOGETHER)]
            worst = tried[int(torch.cat(losses).argmax())]
            used, now = used | (worst != now), worst
        return now

    def runs(self, support: int, seed: int, way: int, eps: float) -> tuple[int, int]:
        """All candidates of every flip."""
        tried = (way - 1) * sum(support - k for k in range(flips(support, eps)))
        return tried, tried * seed


def flips(images: int, eps: float) -> int:
    """How many labels of so many images eps stands for."""
    return min(images, max(1, round(eps * images))) if eps > 0 else 0


def _candidates(y: Int[Tensor, " S"], used: Tensor, way: int) -> Int[Tensor, "K S"]:
    """The labels with one more of them flipped, image by image, then label by label."""
    found: list[Tensor] = []
    for i in (~used).nonzero()[:, 0].tolist():
        for label in (k for k in range(way) if k != int(y[i])):
            other = y.clone()
            other[i] = label
            found.append(other)
    return torch.stack(found)
