"""Losses of queries under each task's parameters, and their gradients, by several threads."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustmeta.functional.inner_loop import Params, in_one_pass
from robustmeta.functional.normalise import Statistics
from robustmeta.threads import over

Losses = Callable[[nn.Module, Params, slice], tuple[Float[Tensor, " T"], Statistics]]
"""(net, parameters of some tasks, which ones) -> the losses of these tasks, and the statistics of their passes."""


def query_gradients(
    net: nn.Module, losses: Losses, params: Params, x: Float[Tensor, "T Q C H W"], scale: float
) -> tuple[Float[Tensor, " T"], Statistics, Params]:
    """Each task's query loss at parameters with a leading T, the statistics of its passes, and scale · ∇ of the loss.

    The net's own parameters, where the losses depend on them, get scale · ∇ Σ added to their ``.grad``. Tasks of
    queries ``x`` go in one pass or one by one, as in ``per_task``; one by one, each of torch's threads takes the next
    task and holds the graph of that one alone, if there are as many tasks as threads.
    """
    whole, here = in_one_pass(x), list(net.parameters())
    rows = [slice(None)] if whole else [slice(t, t + 1) for t in range(len(x))]
    threads = torch.get_num_threads() if len(rows) >= torch.get_num_threads() and can_be_copied(net) else 1
    nets = [net] if threads == 1 else [with_the_same_tensors(net) for _ in range(threads)]
    start = {k: p.detach() for k, p in params.items()}
    gradients = {} if whole else {k: torch.zeros_like(p) for k, p in start.items()}  # laid out in memory as φ is
    found: dict[int, tuple[Tensor, Statistics, Sequence[Tensor | None]]] = {}

    def work(i: int) -> None:
        mine = nets.pop()  # one for each thread
        at = {k: p[rows[i]].requires_grad_() for k, p in start.items()}
        value, tape = losses(mine, at, rows[i])
        slopes = _slopes(scale * value.sum(), [*at.values(), *here])
        for (k, leaf), slope in zip(at.items(), slopes, strict=False):
            if whole:
                gradients[k] = torch.zeros_like(leaf) if slope is None else slope
            elif slope is not None:
                gradients[k][rows[i]] = slope
        found[i] = value.detach(), {k: (m.detach(), v.detach()) for k, (m, v) in tape.items()}, slopes[len(at) :]
        nets.append(mine)

    over(work, list(range(len(rows))), spread=threads > 1)
    values, tapes, others = zip(*(found[i] for i in range(len(rows))), strict=True)
    for i, p in enumerate(here):
        if given := [slopes[i] for slopes in others if slopes[i] is not None]:
            p.grad = reduce(torch.add, given if p.grad is None else [p.grad, *given])
    joined = {k: (torch.cat([t[k][0] for t in tapes]), torch.cat([t[k][1] for t in tapes])) for k in tapes[0]}
    return torch.cat(values), joined, gradients


def _slopes(value: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """∂value / ∂ each input, None where it does not depend on it."""
    return torch.autograd.grad(value, inputs, allow_unused=True)


def can_be_copied(net: nn.Module) -> bool:
    """Whether a copy computes by itself: a forward pass that was replaced on a module still is the original's."""
    return not any("forward" in vars(module) for module in net.modules())


def with_the_same_tensors(net: nn.Module) -> nn.Module:
    """A copy of the modules, whose parameters and buffers are the very ones of the net.

    A thread needs one: ``functional_call`` writes to the module that it calls, for as long as it runs.
    """
    return deepcopy(net, {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())})
