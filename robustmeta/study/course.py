"""A training that is under way, and its checkpoint: everything that the next step depends on."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from robustmeta.core import copy_state
from robustmeta.store.partial import Partial


@dataclass
class Record:
    """What a training has come to, beside its tensors. No random state: every draw is keyed by its step.

    Attributes:
        step, passes: steps taken and images sent forward in them; gradient_passes: images sent backward in them;
            measured: images sent forward in checks.
        checks: checks made; stale: of these, since the best.
        loss: the last. best, chosen: the best accuracy of a check and its step, 0 before there is one.
        training, measuring: seconds of either, of killed runs too. curve: rows of the history.
    """

    step: int = 0
    passes: int = 0
    gradient_passes: int = 0
    measured: int = 0
    checks: int = 0
    stale: int = 0
    loss: float = math.nan
    best: float = -1.0
    chosen: int = 0
    training: float = 0.0
    measuring: float = 0.0
    curve: list[list[float]] = field(default_factory=list[list[float]])


class Course:
    """A network, its optimiser, the best state so far, and the record."""

    def __init__(self, net: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        self.net, self.optimiser, self.record = net, optimiser, Record()
        self.best: dict[str, Tensor] = {}
        self.rates = [float(group["lr"]) for group in optimiser.param_groups]

    def set_rate(self, share: float) -> float:
        """Set all rates to a share of the highest; the first of them."""
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        return self.rates[0] * share

    def step(self, clip: float | None, decay: float) -> float:
        """Take a step along ``.grad``, after shrinking it and the weights (see ``Training``); its norm as it came."""
        params = [p for p in self.net.parameters() if p.grad is not None]
        norm = get_total_norm([p.grad for p in params if p.grad is not None])
        if clip is not None:
            clip_grads_with_norm_(params, clip, norm)
        if decay:
            with torch.no_grad():
                for group in self.optimiser.param_groups:
                    for p in group["params"]:
                        p.mul_(1 - group["lr"] * decay)
        self.optimiser.step()
        return float(norm)

    def keep(self, accuracy: float) -> None:
        """Make the network as it is the best so far."""
        self.record.best, self.record.chosen, self.record.stale = accuracy, self.record.step, 0
        self.best = copy_state(self.net)

    def partial(self) -> Partial:
        """A checkpoint."""
        tensors: dict[str, Tensor] = {}
        numbers: dict[str, dict[str, Any]] = {}
        for i, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"{i}.{k}": v for k, v in state.items() if isinstance(v, Tensor)}
            numbers[str(i)] = {k: v for k, v in state.items() if not isinstance(v, Tensor)}
        groups = {"net": self.net.state_dict(), "best": self.best, "optimiser": tensors}
        return Partial(groups, {"record": asdict(self.record), "optimiser": numbers})

    def resume(self, partial: Partial) -> None:
        """Go on from a checkpoint.

        Raises:
            Exception: it does not fit; the course is of no use then.
        """
        self.net.load_state_dict(partial.tensors["net"])
        self.best = _in_layout(self.net.state_dict(), partial.tensors.get("best", {}))
        params = [p for group in self.optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in partial.facts["optimiser"].items()}
        for name, value in partial.tensors.get("optimiser", {}).items():
            i, _, own = name.partition(".")
            state[int(i)] |= _in_layout({own: params[int(i)]}, {own: value})
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.record = Record(**partial.facts["record"])


def _in_layout(like: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with their memory laid out as that of others of their shape: its order decides the last bit of sums."""
    out: dict[str, Tensor] = {}
    for name, value in given.items():
        same = like[name].shape == value.shape
        out[name] = torch.empty_like(like[name], dtype=value.dtype, requires_grad=False).copy_(value) if same else value
    return out
