"""What built-in methods share: checked diets, the usual outer optimiser, and a step on tasks in one pass."""

from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import torch
from pydantic import field_validator
from torch import Tensor, nn

from robustmeta.config.components import Diet, Method
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.functional.normalise import batch_statistics
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
    network: Network, batch: Tasks | Batch, losses: Callable[[Tensor, Tensor, Tasks], Tensor]
) -> StepStats:
    """The gradient of the mean loss over tasks whose images all pass the network once, under one set of statistics.

    ``losses`` is (support features (T, S, D), query features (T, Q, D), tasks) -> (T,); what it sends through a layer
    that normalises is normalised with statistics of its own.
    """
    tasks = expect(batch, Tasks)
    x = torch.cat([tasks.support_x, tasks.query_x], 1)
    with batch_statistics() as statistics:
        z = network(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        shots = tasks.support_x.shape[1]
        loss = losses(z[:, :shots], z[:, shots:], tasks).mean()
    loss.backward()
    network.follow(statistics)
    return StepStats(loss.item(), x.shape[0] * x.shape[1])


class Fed(Method, ABC):
    """A method whose field ``train`` is its diet. One given in part is completed from the method's own default."""

    train: Diet

    @field_validator("train", mode="before")
    @classmethod
    def _complete(cls, value: Any) -> Any:
        default = cls.model_fields["train"].default
        return {**default.model_dump(), **value} if isinstance(value, dict) else value

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
