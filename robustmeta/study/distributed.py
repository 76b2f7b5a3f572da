"""Training by several processes that torchrun has started: each takes some of the tasks of a step.

Process 0 leads: it plans, measures, writes and reports as one process does. The others join it for the trainings that
can be shared, then they are done. After its tasks each has the gradient, the loss and the statistics of normalisation
as sums over them; one all-reduce makes these the ones of the whole step, so all take the same step as one process does.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from robustmeta.config.components import Diet, Method
from robustmeta.core import CellError, StepStats
from robustmeta.nets import Norm

PATIENCE = timedelta(days=1)
"""The others wait while process 0 measures; torchrun ends them where it has died."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Team:
    """The processes that train together, seen from one of them. The default is a process by itself."""

    rank: int = 0
    size: int = 1
    total: Callable[[Tensor], object] = dist.all_reduce
    """Replaces a tensor by its sum over all processes."""

    def tasks(self, diet: Diet) -> slice:
        """The tasks of a step that are this process's."""
        return slice(diet.tasks * self.rank // self.size, diet.tasks * (self.rank + 1) // self.size)

    def shared(self, number: float) -> float:
        """The number as process 0 has it."""
        if self.size > 1:
            given = torch.tensor([number if self.rank == 0 else 0.0], dtype=torch.float64)
            self.total(given)
            number = float(given)
        return number

    def measured(self, measure: Callable[[], float]) -> float:
        """What process 0 measures; where it fails, it fails for all."""
        found, error = math.nan, None
        if self.rank == 0:
            try:
                found = measure()
            except Exception as raised:  # the others must hear of it first
                error = raised
        if self.shared(error is not None):
            raise error or CellError("process 0 failed to measure the network")
        return self.shared(found)

    def agree(self, number: int) -> bool:
        """Whether all have the same number."""
        if self.size == 1:
            return True
        moments = torch.tensor([number, number**2], dtype=torch.float64)
        self.total(moments)
        return float(moments[0]) ** 2 == self.size * float(moments[1])

    def backward(self, net: nn.Module, diet: Diet, run: Callable[[slice], StepStats]) -> StepStats:
        """Fill ``.grad`` of the network for the whole step; ``run`` does it for some of the step's tasks."""
        if self.size == 1:
            return run(slice(None))
        before, mine = [b.clone() for b in net.buffers()], self.tasks(diet)
        stats, error = StepStats(0.0, 0), None
        if mine.start < mine.stop:
            try:
                stats = run(mine)
            except Exception as raised:  # the others must hear of it first
                error = raised
        return self._whole(net, before, stats, (mine.stop - mine.start) / diet.tasks, error)

    def _whole(
        self, net: nn.Module, before: list[Tensor], stats: StepStats, weight: float, error: Exception | None
    ) -> StepStats:
        """The sums over processes, each by its part of the tasks; running averages are affine in what they follow."""
        params, buffers = list(net.parameters()), list(net.buffers())
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
        moved = [b - old for b, old in zip(buffers, before, strict=True)]
        parts = [weight * v.flatten() for v in (*gradients, *moved)]
        counts = (stats.passes, stats.gradient_passes)
        head = parts[0].new_tensor([float(error is not None), weight * stats.loss, *counts])
        flat = torch.cat([head, *parts])
        self.total(flat)
        if flat[0]:
            raise error or CellError("another process failed at this step; its log says why")
        sums = iter(flat[4:].split([p.numel() for p in parts]))
        for p in params:
            p.grad = next(sums).view_as(p).to(p.dtype)
        for b, old in zip(buffers, before, strict=True):
            b.copy_(old + next(sums).view_as(b))
        return StepStats(float(flat[1]), int(flat[2]), int(flat[3]))


SOLO = Team()


def leads() -> bool:
    """Whether this process reports: it runs by itself, or as process 0 of those that torchrun has started."""
    return not dist.is_torchelastic_launched() or os.environ["RANK"] == "0"


def join() -> Team:
    """The team of the processes that torchrun has started; a process by itself without it. Waits for the others."""
    if not dist.is_torchelastic_launched() or os.environ["WORLD_SIZE"] == "1":
        return SOLO
    if not dist.is_initialized():
        dist.init_process_group("gloo", timeout=PATIENCE)
    return Team(dist.get_rank(), dist.get_world_size())


def alone(method: Method) -> bool:
    """Whether a training step has nothing to share: one task, or plain images."""
    return bool(method.diet().batch) or method.diet().tasks < 2


def expect_apart(method: Method, net: nn.Module) -> None:
    """Raise a CellError unless each task of a step can be worked on without the others, to the same result.

    So it is for MAML and its descendants under any normalisation, and for learners of features where no layer
    normalises over the images of all tasks. Reptile carries moments from task to task.
    """
    normed = [name for name, module in net.named_modules() if isinstance(module, Norm)]
    if method.apart == "always" or (method.apart == "without batch statistics" and not normed):
        return
    body_alone = method.apart != "never" and all(name.startswith("body.") for name in normed)
    why = "its tasks depend on each other" if method.apart == "never" else "its tasks share their batch statistics"
    remedy = ", or with norm: group or none in the backbone" if body_alone else ""
    raise CellError(f"{method.name} cannot be trained by several processes: {why}; train it without torchrun{remedy}")


class Crew:
    """A team and the trainings of a study, by key, which the others join when process 0 calls them."""

    def __init__(self, team: Team, keys: Sequence[str]) -> None:
        self.team, self.keys, self.waiting = team, list(keys), team.size > 1

    def call(self, key: str) -> None:
        """Process 0 begins a training; the others are to join."""
        self.team.shared(self.keys.index(key))

    def called(self) -> Iterator[str]:
        """The trainings that process 0 calls the others to, until it dismisses them."""
        while (number := int(self.team.shared(-1))) >= 0:
            yield self.keys[number]

    def dismiss(self) -> None:
        """Process 0 has called for the last time."""
        if self.waiting:
            self.waiting = False
            self.team.shared(-1)
