"""What heads share that are trained by SGD on frozen features."""

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.functional.inner_loop import Params, order_in, tracking
from robustmeta.functional.updates import epoch_batches, momentum_sgd
from robustmeta.rng import Rng


class SgdHead(FixedFeatures, ABC):
    """SGD in mini-batches on the mean cross-entropy of the support; the defaults are those of Chen et al. 2019."""

    rate: float = Field(default=0.01, gt=0, description="the step")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="share of the last step's direction that is kept")
    dampening: float = Field(default=0.9, ge=0, lt=1, description="share of the gradient that momentum leaves out")
    decay: float = Field(default=1e-3, ge=0, description="of all that is trained, added to the gradient")
    epochs: int = Field(default=100, ge=1, le=10_000, description="passes through the support, each in a new order")
    batch: int = Field(default=4, ge=1, description="images of a step; the last of a pass may have fewer")

    grid: ClassVar[dict[str, tuple[Any, ...]]] = {"rate": (0.01, 0.1), "epochs": (30, 100)}

    def _descend(
        self,
        slopes: Callable[[Params, Float[Tensor, "T B D"], Float[Tensor, "T B way"]], Params],
        params: Params,
        z: Float[Tensor, "T S D"],
        y: Int[Tensor, "T S"],
        way: int,
        rng: Rng,
    ) -> Params:
        """The head's parameters, with a leading T, after training; ``slopes`` are those of each task's mean loss."""
        update = momentum_sgd(self.rate, self.momentum, self.dampening, self.decay)
        onehot, task, state = F.one_hot(y, way).to(z), torch.arange(len(z))[:, None], None
        constant = order_in(z) == "data"
        with tracking(z):
            for rows in epoch_batches(rng, z.shape[1], self.batch, self.epochs):
                at = {k: p.detach() for k, p in params.items()} if constant else params
                params, state = update(params, slopes(at, z[task, rows], onehot[task, rows]), state)
        return params
