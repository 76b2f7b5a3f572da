"""Gradient descent inside a task, for many tasks at once: every parameter that a task owns has a leading T."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils.checkpoint import checkpoint

from robustmeta.functional.by_task import by_task
from robustmeta.functional.normalise import (
    Statistics,
    at_step,
    batch_statistics,
    given_statistics,
    running_statistics,
)
from robustmeta.rng import Rng

Params = dict[str, Tensor]
S = TypeVar("S")
Order = Literal[0, 1, 2, "data"]

BATCHED_UP_TO = 25
"""Images a task up to which one pass over all tasks beats a loop over them on a CPU, for conv4 at 28 to 84 pixels."""

PIXELS_UP_TO = 36_000
"""Pixels of a task's images together beyond which it does not, for the size of their patches."""

_FORCED: ContextVar[bool | None] = ContextVar("one pass or a loop", default=None)


@contextmanager
def forced(batched: bool) -> Generator[None]:
    """Within it tasks go through in one pass, or one by one, whatever their shape."""
    token = _FORCED.set(batched)
    try:
        yield
    finally:
        _FORCED.reset(token)


_FIRST: ContextVar[bool] = ContextVar("first order in the support", default=False)


@contextmanager
def first_order() -> Generator[None]:
    """Within it what a support does to adapted weights is differentiated without how one step moves the next."""
    token = _FIRST.set(True)
    try:
        yield
    finally:
        _FIRST.reset(token)


def order_in(x: Tensor) -> Order:
    """How inner steps on images ``x`` are differentiated: not at all unless x asks for gradients, where they are on."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return 0
    return "data" if _FIRST.get() else 2


def tracking(x: Tensor) -> AbstractContextManager[object]:
    """Gradients are on within it only if they are on outside and x asks for them."""
    return torch.set_grad_enabled(order_in(x) != 0)


def leaves(params: Params, order: Order) -> Params:
    """The start of inner steps of that order: parameters without a graph become leaves of one where it is needed."""
    if order == 0:
        return params
    return {k: p if p.requires_grad else p.detach().requires_grad_() for k, p in params.items()}


def in_one_pass(x: Float[Tensor, "T N C H W"]) -> bool:
    """Whether the images of tasks go through a network in one pass, rather than task by task."""
    choice, images, pixels = _FORCED.get(), x.shape[1], x.shape[3:].numel()
    return images <= BATCHED_UP_TO and images * pixels <= PIXELS_UP_TO if choice is None else choice


def per_task(
    net: nn.Module,
    shared: Params,
    own: Params,
    x: Float[Tensor, "T N C H W"],
    given: Statistics | None = None,
    *,
    record: bool = False,
    batched: bool | None = None,
    running: bool = False,
    step: int = 0,
) -> tuple[Float[Tensor, "T N D"], Statistics]:
    """Send each task's images through the network under its own parameters.

    ``net`` is any module whose forward pass changes nothing; ``shared`` are parameters that all tasks share, ``own``
    those with a leading T, both by their names in ``net``. Normalisation uses the statistics ``given`` (with a leading
    T), or its running averages where ``running``, or else those of the task's images; on ``record`` these are returned,
    otherwise none. ``step`` is the inner step, for layers that differ by it. ``batched`` sends all tasks through in one
    pass, or loops over them; None decides by shape, and the results are the same to rounding.
    """

    def scope(statistics: Statistics | None) -> AbstractContextManager[Statistics]:
        if statistics is not None:
            return given_statistics(statistics)
        return running_statistics() if running else batch_statistics(record=record)

    def one(params: Params, images: Tensor, statistics: Statistics | None) -> tuple[Tensor, Statistics]:
        with at_step(step), scope(statistics) as tape:
            return functional_call(net, {**shared, **params}, (images,)), tape

    if in_one_pass(x) if batched is None else batched:
        with by_task():
            return vmap(one, in_dims=(0, 0, None if given is None else 0))(own, x, given)
    params = {k: v.unbind() for k, v in own.items()}
    statistics = {k: (mean.unbind(), variance.unbind()) for k, (mean, variance) in (given or {}).items()}
    outputs, tapes = [], []
    for t, images in enumerate(x.unbind()):
        given_t = None if given is None else {k: (mean[t], variance[t]) for k, (mean, variance) in statistics.items()}
        output, tape = one({k: v[t] for k, v in params.items()}, images, given_t)
        outputs.append(output)
        tapes.append(tape)
    used = {k: (torch.stack([t[k][0] for t in tapes]), torch.stack([t[k][1] for t in tapes])) for k in tapes[0]}
    return torch.stack(outputs), used


def task_losses(logits: Float[Tensor, "T N way"], y: Int[Tensor, "T N"]) -> Float[Tensor, " T"]:
    """The mean cross-entropy of each task."""
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y).mean(1)


def descend(
    losses: Callable[[Params, int], Float[Tensor, " T"]],
    params: Params,
    update: Callable[[Params, Params, S], tuple[Params, S]],
    state: S,
    steps: int,
    order: Order,
    *,
    trail: list[Params] | None = None,
    recompute: bool = False,
) -> tuple[Params, S]:
    """Take ``steps`` steps from parameters with a leading T: φₖ₊₁ = update(φₖ, ∇ Lₖ(φₖ)).

    ``losses`` is (params, k) -> the loss of each task at step k; ``update`` is (params, gradients, state) -> the next
    params and state. ``order`` is how the result depends on the start when it is differentiated: 2 = as it does (MAML),
    1 = as if the gradients were constants (FOMAML), 0 = not at all (no graph is kept), "data" = on the start as 1, and
    on what else ``losses`` depends on as if every φₖ were a constant within it: ∂φₖ₊₁/∂φₖ ≈ 1. φ₁, φ₂, ... are added
    to ``trail`` if given. ``recompute`` keeps no graph of a step but computes the step again when it is differentiated
    (Griewank and Walther 2000, algorithm 799): the same gradient in less memory and more time.
    """

    def step(params: Params, state: S, k: int) -> tuple[Params, S]:
        with torch.enable_grad():
            at = {n: p.detach().requires_grad_() for n, p in params.items()} if order == "data" else params
            total = losses(at, k).sum()
        gradients = torch.autograd.grad(total, list(at.values()), create_graph=order in (2, "data"))
        with torch.set_grad_enabled(order != 0):
            return update(params, dict(zip(params, gradients, strict=True)), state)

    for k in range(steps):
        if order == 0:
            params = {name: p.detach().requires_grad_() for name, p in params.items()}
        taken = partial(checkpoint, step, use_reentrant=False, preserve_rng_state=False) if recompute else step
        params, state = taken(params, state, k)
        if trail is not None:
            trail.append(params)
    return params, state


def sgd(rate: float) -> Callable[[Params, Params, None], tuple[Params, None]]:
    """Plain gradient steps: φ − rate · g."""

    def update(params: Params, gradients: Params, state: None) -> tuple[Params, None]:
        return {k: torch.add(p, gradients[k], alpha=-rate) for k, p in params.items()}, state

    return update


def sgd_at(rates: Callable[[int], Params]) -> Callable[[Params, Params, int], tuple[Params, int]]:
    """Gradient steps φ − αₖ ∘ g with rates by parameter and step k, which is the state; differentiable in the rates."""

    def update(params: Params, gradients: Params, state: int) -> tuple[Params, int]:
        rate = rates(state)
        return {k: p - rate[k] * gradients[k] for k, p in params.items()}, state + 1

    return update


AdamState = tuple[Params, Tensor]
"""Second moments, and how many updates they average (a scalar)."""


def adam(
    rate: float, beta2: float = 0.999, eps: float = 1e-8
) -> Callable[[Params, Params, AdamState], tuple[Params, AdamState]]:
    """Adam without momentum (Kingma and Ba 2015, algorithm 1 with β₁ = 0): φ − rate · g / (√(v / (1 − β₂ᵗ)) + ε)."""

    def update(params: Params, gradients: Params, state: AdamState) -> tuple[Params, AdamState]:
        second, updates = state
        updates = updates + 1
        correction = 1 - beta2**updates
        second = {k: beta2 * v + (1 - beta2) * gradients[k].square() for k, v in second.items()}
        scaled = {k: gradients[k] / (root(v / correction) + eps) for k, v in second.items()}
        return {k: p - rate * scaled[k] for k, p in params.items()}, (second, updates)

    return update


def root(v: Tensor) -> Tensor:
    """√v, with the slope 0 at 0, where it has none; 1e-36 is too small to be seen beside Adam's ε."""
    return v.clamp(min=1e-36).sqrt() if v.requires_grad else v.sqrt()


def minibatches(rng: Rng, images: int, batch: int, steps: int) -> Int[Tensor, "T steps B"]:
    """Rows of each mini-batch: passes through a task's images, each in a new order; a batch may span two passes.

    B = min(batch, images); ``rng`` has one key a task.
    """
    batch = min(batch, images)
    passes = -(-steps * batch // images)
    rows = torch.cat([rng.permutation(images) for _ in range(passes)], -1)
    return rows[:, : steps * batch].unflatten(1, (steps, batch))
