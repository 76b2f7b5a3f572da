"""Adversarial training: images are replaced by ones that are worse for the classifier of the moment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from robustmeta.attacks.gradient import climb
from robustmeta.config.components import Frozen
from robustmeta.core import Classifier, StepStats
from robustmeta.functional.margins import cross_entropy
from robustmeta.functional.projection import BALLS
from robustmeta.rng import Rng, combine

TaskLosses = Callable[[Tensor, Tensor], Tensor]
"""(logits (T, Q, way), labels (T, Q)) -> the loss of each task (T,)."""


@dataclass(frozen=True)
class Spent:
    """Images sent forward through the backbone, and how many of these passes are gone through backward."""

    forward: int = 0
    backward: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.forward + other.forward, self.backward + other.backward)

    def stats(self, loss: float) -> StepStats:
        """A step with this loss."""
        return StepStats(loss, self.forward, self.backward)


NOTHING = Spent()


class Adversary(Frozen):
    """Projected gradient ascent within ε of a training image and [0, 1], from a uniform start, through a fixed network.

        x ← Π(x + α · s(∇ₓ L));   the step of training is then taken on the last x

    With ``place: query`` an episodic learner meets such queries after it has adapted to the clean support: adversarial
    querying (Goldblum, Fowl and Goldstein 2020, Adversarially Robust Few-Shot Learning, algorithm 2), with MAML the
    outer loop of R-MAML; a learner on plain images trains as Madry et al. 2018 do. With ``both`` the support of every
    inner step is attacked too, under the weights that are about to take it (R-MAML in both loops: Wang et al. 2021, On
    Fast Adversarial Robustness Adaptation in Model-Agnostic Meta-Learning, where clean losses count beside these).
    ``loss: trades`` adds β · KL(p(x) ‖ p(x')) to the clean loss, and L is that divergence (Zhang et al. 2019,
    Theoretically Principled Trade-off between Robustness and Accuracy, algorithm 1). ``eps: 0`` or ``steps: 0`` is
    natural training.
    """

    eps: float = Field(8 / 255, ge=0, description="the largest distance from the clean image, in the norm")
    steps: int = Field(7, ge=0, le=1000, description="gradient steps; 7 is the published choice in training")
    step_size: float = Field(0.25, gt=0, description="α / ε; 0.25 is the published 2/255 at ε = 8/255")
    norm: Literal["linf", "l2", "l1"] = "linf"
    place: Literal["query", "both"] = Field("query", description="both: supports in inner steps are attacked too")
    loss: Literal["cross_entropy", "trades"] = "cross_entropy"
    beta: float = Field(6.0, gt=0, description="weight of the divergence under loss: trades; 6 is the published 1/λ")

    @property
    def acts(self) -> bool:
        """Whether it changes an image at all."""
        return self.eps > 0 and self.steps > 0

    @property
    def trades(self) -> bool:
        """Whether a step is taken on clean images and their adversarial versions together."""
        return self.loss == "trades"

    @property
    def copies(self) -> int:
        """Versions of an image that a step is taken on."""
        return 2 if self.trades else 1

    def perturb(
        self, classifier: Classifier, x: Float[Tensor, "T Q C H W"], y: Tensor, rng: Rng, *stream: object
    ) -> Float[Tensor, "T Q C H W"]:
        """Climb the cross-entropy of labels y (T, Q).

        The start of an image follows from ``rng`` (one key), ``stream`` and what the image shows: it is the same
        whichever tasks stand beside it. Only x gets gradients, and the result none.

        Raises:
            CellError: the gradient is not finite.
        """
        return self._ascend(classifier, x, y, cross_entropy, rng, stream)

    def shown(self, classifier: Classifier, x: Tensor, y: Tensor, rng: Rng) -> Float[Tensor, "T Q* C H W"]:
        """What a step is taken on in place of x (T, Q, C, H, W): adversarial images, under ``trades`` after clean ones.

        Raises:
            CellError: the gradient is not finite.
        """
        if not self.trades:
            return self.perturb(classifier, x, y, rng)
        with torch.no_grad():
            clean = classifier(x)
        return torch.cat([x, self._ascend(classifier, x, clean, divergence, rng, ())], 1)

    def counted(self, own: TaskLosses, logits: Float[Tensor, "T Q* way"], y: Tensor) -> Float[Tensor, " T"]:
        """The loss of each task on what is ``shown``: the learner's own, under ``trades`` with the divergence."""
        if not self.trades:
            return own(logits, y)
        clean, attacked = logits.chunk(2, 1)
        apart = divergence(attacked.flatten(0, 1), clean.flatten(0, 1))
        return own(clean, y) + self.beta * apart.view_as(y).mean(1)

    def cost(self, images: int, adapting: int = 0, *, labelled: bool = False) -> Spent:
        """What attacking so many images takes, with what adapting the classifier sends forward.

        ``labelled``: the cross-entropy of their labels is climbed whatever ``loss`` is, as in inner steps.
        """
        looks = self.steps + (self.trades and not labelled)
        return Spent(adapting + images * looks, images * self.steps)

    def _ascend(
        self,
        classifier: Classifier,
        x: Tensor,
        aim: Tensor,
        loss: Callable[[Tensor, Tensor], Tensor],
        rng: Rng,
        stream: tuple[object, ...],
    ) -> Tensor:
        ball = BALLS[self.norm]
        keys = combine(rng.keys.reshape(-1)[:1], image_keys(x))
        draws = Rng(rng.seed, (*rng.stream, "adversary", *stream), keys)
        at = ball.within(x, x + ball.draw(tuple(x.shape[2:]), self.eps, draws), self.eps)
        for _ in range(self.steps):
            slope = climb(classifier, at, aim, loss).gradient
            at = ball.within(x, at + self.step_size * self.eps * ball.steepest(slope), self.eps)
        return at


def divergence(attacked: Float[Tensor, "N way"], clean: Float[Tensor, "N way"]) -> Float[Tensor, " N"]:
    """KL(p ‖ q) = Σ_k p_k (log p_k − log q_k) with p = softmax(clean), q = softmax(attacked)."""
    return F.kl_div(attacked.log_softmax(-1), clean.log_softmax(-1), reduction="none", log_target=True).sum(-1)


def image_keys(x: Float[Tensor, "*n C H W"]) -> NDArray[np.uint64]:
    """A number for what an image shows: Σᵢ wᵢ bᵢ mod 2⁶⁴ with its pixels' bits bᵢ in float32 and fixed odd wᵢ."""
    bits = x.detach().float().flatten(-3).contiguous().numpy().view(np.uint32)
    weights = Rng(0, ("image",), [0]).bits(bits.shape[-1])[0] | np.uint64(1)
    return (bits.astype(np.uint64) * weights).sum(-1, dtype=np.uint64)
