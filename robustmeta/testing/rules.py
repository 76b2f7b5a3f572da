"""What the checks of several kinds of components ask in the same words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from robustmeta.core import copy_state
from robustmeta.testing.draws import global_state
from robustmeta.testing.finding import Wrong

Norm = Literal["linf", "l2", "l1", "patch", "spatial"]
Work = Callable[[], Sequence[Tensor]]
"""What a component makes of its trial, anew at every call."""
SLACK = 1e-6


def _extent(delta: Tensor) -> Tensor:
    """The side of the square that holds all changed pixels, as a part of the image's; rounding to pixels is free."""
    changed = (delta != 0).any(-3)
    sides = [_length(changed.any(dim)) for dim in (-1, -2)]
    return ((torch.stack(sides).amax(0) - 0.5) / min(delta.shape[-2:])).clamp(min=0)


def _length(marks: Tensor) -> Tensor:
    """From the first to the last that is marked."""
    along = torch.arange(1, marks.shape[-1] + 1) * marks
    first = along.where(marks, marks.shape[-1] + 1).amin(-1)
    return ((along.amax(-1) - first + 1) * marks.any(-1)).float()


DISTANCES: Mapping[Norm, Callable[[Tensor], Tensor]] = {
    "linf": lambda d: d.abs().flatten(-3).amax(-1),
    "l2": lambda d: d.flatten(-3).norm(dim=-1),
    "l1": lambda d: d.flatten(-3).abs().sum(-1),
    "patch": _extent,
    "spatial": lambda d: d.new_zeros(()),
}
"""How far a change (..., C, H, W) goes. Nothing measures how far an image was turned or shifted."""


def in_ball(delta: Tensor, norm: Norm, eps: float) -> str:
    """No change is larger than eps."""
    largest = float(DISTANCES[norm](delta).max())
    if largest > eps * (1 + SLACK) + SLACK:
        raise Wrong(f"it leaves the {norm} ball: {largest:.6g} > eps = {eps:.6g}")
    return f"largest {norm} distance {largest:.4g} of {eps:.4g}"


def in_range(got: Tensor) -> str:
    """No pixel leaves [0, 1] at eps 1."""
    if got.min() < 0 or got.max() > 1:
        raise Wrong(f"at eps 1, expected values in [0, 1], got [{float(got.min()):.4g}, {float(got.max()):.4g}]")
    return "stays in [0, 1] at eps 1"


def keyed(work: Work, what: str) -> str:
    """The same keys give the same, and nobody else's generator is drawn from."""
    before = global_state()
    if not _equal(work(), work()):
        raise Wrong("two calls with the same keys differ; draw from rng alone")
    if global_state() != before:
        raise Wrong("it draws from a global generator; draw from rng")
    return f"same keys, same {what}"


def untouched(net: nn.Module, given: Sequence[Tensor], work: Work) -> str:
    """The network, its gradients and what goes in stay as they are."""
    state, before = copy_state(net), [v.clone() for v in given]
    work()
    if any(not torch.equal(v, state[k]) for k, v in net.state_dict().items()):
        raise Wrong("it changes the network")
    if any(p.grad is not None for p in net.parameters()):
        raise Wrong("it leaves gradients in the network; ask torch.autograd.grad for those of x alone")
    if not _equal(given, before):
        raise Wrong("it writes into its input")
    return "network, its gradients and the input"


def _equal(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
