"""What methods share that read the images of a task one by one."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from robustmeta.config.components import Apart, Diet, wrong
from robustmeta.core import Batch, StepStats, Tasks, Traits
from robustmeta.functional.inner_loop import task_losses
from robustmeta.heads.reading import SequenceHead
from robustmeta.methods.features import HeadLearner
from robustmeta.methods.training import episodic_step, expect
from robustmeta.nets import as_network
from robustmeta.rng import Rng


class SequenceLearner(HeadLearner, ABC):
    """Trained by Adam on the mean loss over all steps of sequences: all images of a task, in another random order each.

    Which class has which label is drawn for each task by the sampler. With an adversary, the queries among the images
    are those that it has made against the head after it has read the clean support.
    """

    family: ClassVar[str] = "model-based"
    apart: ClassVar[Apart] = "never"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=False, embeds=True)
    least_query: ClassVar[int] = 0
    pairs: ClassVar[bool] = False

    train: Diet = Diet(way=5, shot=5, query=5, tasks=8)
    rate: float = Field(default=5e-3, gt=0)

    @model_validator(mode="after")
    def _prey(self) -> Self:
        if self.adversary and not self.train.query:
            raise wrong(("train", "query"), "adversary", "an adversary attacks queries: expected query >= 1; got 0", 0)
        return self

    @property
    def length(self) -> int:
        """Images in a sequence of training."""
        return self.train.way * (self.train.shot + self.train.query)

    @abstractmethod
    def head(self, body: nn.Module) -> SequenceHead:
        """A head for the features of a body."""

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The gradient of the mean loss over tasks and steps."""
        network = as_network(net)
        head = cast("SequenceHead", network.head)

        def losses(support: Tensor, query: Tensor, tasks: Tasks) -> Tensor:
            z, y = torch.cat([support, query], 1), torch.cat([tasks.support_y, tasks.query_y], 1)
            order = torch.cat([rng.permutation(y.shape[1]) for _ in range(len(y))])
            y = y.gather(1, order)
            return task_losses(head.guesses(z.take_along_dim(order[..., None], 1), y), y)

        tasks, spent = self.attacked(network, expect(batch, Tasks), rng)
        return episodic_step(network, tasks, losses, spent)
