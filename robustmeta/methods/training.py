"""What built-in methods share: checked diets, the usual outer optimiser, and a step on tasks in one pass."""

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import torch
from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer
from torch import Tensor, nn

from robustmeta.config.components import Diet, Method, wrong
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.functional.normalise import batch_statistics
from robustmeta.methods.adversary import NOTHING, Adversary, Spent, TaskLosses
from robustmeta.nets import Network

B = TypeVar("B", Tasks, Batch)


def expect(batch: Tasks | Batch, kind: type[B]) -> B:
    """The batch, if it is of the kind that the method's diet asks for; else TypeError."""
    if not isinstance(batch, kind):
        raise TypeError(f"this method's diet asks for {kind.__name__}, got {type(batch).__name__}")
    return batch


def adam(net: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Adam on all parameters."""
    return torch.optim.Adam(net.parameters(), lr=rate)


def episodic_step(
    network: Network,
    tasks: Tasks,
    losses: Callable[[Tensor, Tensor, Tasks], Tensor],
    spent: Spent = NOTHING,
) -> StepStats:
    """The gradient of the mean loss over tasks whose images all pass the network once, under one set of statistics.

    ``losses`` is (support features (T, S, D), query features (T, Q, D), tasks) -> (T,); what it sends through a layer
    that normalises is normalised with statistics of its own. ``spent`` is what the queries have taken to make.
    """
    x = torch.cat([tasks.support_x, tasks.query_x], 1)
    with batch_statistics(constant=True) as statistics:
        z = network(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        shots = tasks.support_x.shape[1]
        loss = losses(z[:, :shots], z[:, shots:], tasks).mean()
    loss.backward()
    network.follow(statistics)
    images = x.shape[0] * x.shape[1]
    return (Spent(images, images) + spent).stats(loss.item())


class Fed(Method, ABC):
    """A method whose field ``train`` is its diet. One given in part is completed from the method's own default.

    ``adversary`` makes its training adversarial; without one it is no part of what the method is.
    """

    inner: ClassVar[bool] = False
    """Whether it steps on supports, which an adversary can attack too."""
    pairs: ClassVar[bool] = True
    """Whether its loss on clean queries and on adversarial ones can be told apart, as TRADES needs it."""

    train: Diet
    adversary: Adversary | None = Field(
        default=None, description="adversarial training, such as {eps: 0.1}; null = natural training"
    )

    @field_validator("train", mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        default = cls.model_fields["train"].default
        return {**default.model_dump(), **value} if isinstance(value, dict) else value

    @field_validator("adversary")
    @classmethod
    def _able(cls, value: Adversary | None) -> Adversary | None:
        if value and value.place == "both" and not cls.inner:
            text = f"{cls.name} takes no inner steps on its support; gradient-based methods such as maml do: give query"
            raise wrong("place", "adversary", text, value.place)
        if value and value.trades and not cls.pairs:
            text = (
                f"{cls.name} has no loss on each query by itself, which trades needs; the families metric-based, "
                "closed-form and transfer, the maml family, cnp and snail do: give cross_entropy"
            )
            raise wrong("loss", "adversary", text, value.loss)
        return value

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = {"name": self.name, **handler(self)}
        return {k: v for k, v in fields.items() if k != "adversary" or v is not None}

    @property
    def foe(self) -> Adversary | None:
        """The adversary, if it changes images at all."""
        return self.adversary if self.adversary and self.adversary.acts else None

    def counted(self, own: TaskLosses, logits: Tensor, y: Tensor) -> Tensor:
        """Each task's loss (T,) from the logits of the queries that the adversary has put in place of the clean ones.

        ``own`` is the loss of natural training.
        """
        return self.foe.counted(own, logits, y) if self.foe else own(logits, y)

    def diet(self) -> Diet:
        """The field ``train``."""
        return self.train


class Episodic(Fed, ABC):
    """A method that trains on tasks."""

    least_query: ClassVar[int] = 1

    @field_validator("train")
    @classmethod
    def _sensible(cls, value: Diet) -> Diet:
        least = {"way": 2, "shot": 1, "query": cls.least_query, "tasks": 1}
        if value.batch or any(getattr(value, k) < v for k, v in least.items()):
            wanted = ", ".join(f"{k} >= {v}" for k, v in least.items())
            raise ValueError(f"{cls.name} trains on tasks: expected {wanted} and batch 0; got {value}")
        return value
