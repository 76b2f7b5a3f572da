"""Small classifiers, honest and not, and what the honesty flags of an attack on them say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from robustmeta.attacks.pgd import PGD
from robustmeta.config.components import Attack
from robustmeta.rng import Rng
from robustmeta.study.flagging import Finding
from robustmeta.study.honesty import Inspection
from robustmeta.study.judging import flags

TASKS, QUERIES, WAY, SIDE = 3, 10, 4, 6
STRONG = PGD(steps=20, restarts=2)
EPS = 0.1


@dataclass(eq=False)
class Plain:
    """A network as a classifier that all tasks share; ``coupled`` centres the logits of a task."""

    net: nn.Module
    coupled: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        z = self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return z - z.mean(1, keepdim=True) if self.coupled else z

    def select(self, tasks: slice) -> "Plain":
        return self


class Wrapped(nn.Module):
    """The honest network behind or before a function; ``between`` sees (network, x)."""

    def __init__(self, between: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.between = honest(), between

    def forward(self, x: Tensor) -> Tensor:
        return self.between(self.inner, x)


def honest() -> nn.Sequential:
    """Two smooth layers with fixed weights."""
    inputs, hidden = SIDE**2, 16
    draws = Rng(0, ("honest",), range(hidden))
    net = nn.Sequential(nn.Flatten(), nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, WAY))
    weights = [draws.normal(inputs) / inputs**0.5, torch.zeros(hidden), draws.normal(WAY).T, torch.zeros(WAY)]
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), weights, strict=True):
            parameter.copy_(value)
    return net.eval().requires_grad_(False)


def keys(tasks: int = TASKS) -> Any:
    return np.arange(tasks * QUERIES, dtype=np.uint64).reshape(tasks, QUERIES)


def queries(tasks: int = TASKS) -> tuple[Tensor, Tensor]:
    """Images that the honest network gets right."""
    x = Rng(1, ("images",), keys(tasks)).uniform(1, SIDE, SIDE)
    return x, Plain(honest())(x).argmax(-1)


def inspect(
    net: nn.Module, attack: Attack = STRONG, eps: float = EPS, *, coupled: bool = False, episodes: int = 10
) -> Inspection:
    """An attack on all tasks at once, inspected."""
    inspection = Inspection(net, attack, eps, episodes)
    x, y = queries()
    inspection.run(Plain(net, coupled), x, y, Rng(0, ("attack",), keys()))
    return inspection


def flagged(net: nn.Module, attack: Attack = STRONG, eps: float = EPS, **more: Any) -> dict[str, Finding]:
    """What the flags say that need this attack alone."""
    return flags(inspect(net, attack, eps, **more).seen, attack, eps)


def warned(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.status == "warn"}
