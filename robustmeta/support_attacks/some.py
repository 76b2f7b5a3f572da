"""What attacks on the pixels of a support have in common: a norm, and which of its images may change."""

from abc import ABC
from typing import Literal

import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from robustmeta.config.components import SupportAttack
from robustmeta.functional.projection import BALLS, Ball
from robustmeta.rng import Rng

Support = tuple[Tensor, Tensor]
"""Images (T, S, C, H, W) and their labels (T, S)."""


class OnPixels(SupportAttack, ABC):
    """An attack on the pixels of a share of each support; attacks of one ``fraction`` change the same images."""

    norm: Literal["linf", "l2", "l1"] = "linf"
    fraction: float = Field(1.0, gt=0, le=1, description="share of the support images that may change, at least one")

    @property
    def ball(self) -> Ball:
        """That of its norm."""
        return BALLS[self.norm]

    def chosen(self, rng: Rng) -> Bool[Tensor, "T S"]:
        """The images that may change: those of the lowest draws, one a key; a smaller fraction takes some of them."""
        rank = rng.child("chosen").bits(1)[..., 0].argsort(1, kind="stable").argsort(1, kind="stable")
        return torch.from_numpy(rank < max(1, round(self.fraction * rank.shape[1])))

    def notes(self) -> tuple[str, ...]:
        """How many images change."""
        return (f"{self.fraction:.0%} of the support images are attacked",) if self.fraction < 1 else ()


def wide(chosen: Bool[Tensor, "T S"]) -> Bool[Tensor, "T S 1 1 1"]:
    """The same over pixels."""
    return chosen[..., None, None, None]
