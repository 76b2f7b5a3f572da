"""Batch normalisation whose statistics the caller chooses, and which changes nothing when it runs.

    y = γ (x − μ) / √(σ² + ε) + β        (Ioffe and Szegedy 2015, algorithm 1)

A scope around a forward pass says where μ and σ² come from; without one they are a layer's running averages.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from robustmeta.functional.by_task import batch_norm

Moments = tuple[Float[Tensor, "*T C"], Float[Tensor, "*T C"]]
"""Mean and biased variance of every channel."""

Statistics = dict[str, Moments]
"""The moments of every normalisation layer of a network, by the layer's name."""


@dataclass(frozen=True)
class _Scope:
    tape: Statistics
    given: bool
    record: bool = False
    constant: bool = False


_SCOPE: ContextVar[_Scope | None] = ContextVar("normalisation", default=None)


@contextmanager
def batch_statistics(*, record: bool = True, constant: bool = False) -> Generator[Statistics]:
    """Within it every layer uses the statistics of its own input; on ``record`` they are written to what it yields.

    ``constant``: what is written has no gradient, which saves a pass over the maps.
    """
    yield from _enter(_Scope({}, given=False, record=record, constant=constant))


@contextmanager
def given_statistics(statistics: Mapping[str, Moments]) -> Generator[Statistics]:
    """Within it every layer uses the statistics that stand under its name."""
    yield from _enter(_Scope(dict(statistics), given=True))


@contextmanager
def running_statistics() -> Generator[Statistics]:
    """Within it every layer uses its running averages; nothing is recorded."""
    token = _SCOPE.set(None)
    try:
        yield {}
    finally:
        _SCOPE.reset(token)


_STEP: ContextVar[int] = ContextVar("inner step", default=0)


@contextmanager
def at_step(k: int) -> Generator[None]:
    """Within it layers that hold parameters and averages for each inner step use those of step ``k``."""
    token = _STEP.set(k)
    try:
        yield
    finally:
        _STEP.reset(token)


def inner_step() -> int:
    """The step that ``at_step`` names, 0 outside of it."""
    return _STEP.get()


def _enter(scope: _Scope) -> Generator[Statistics]:
    token = _SCOPE.set(scope)
    try:
        yield scope.tape
    finally:
        _SCOPE.reset(token)


def moments(x: Float[Tensor, "N C H W"]) -> Moments:
    """Mean and biased variance of every channel over images and sites."""
    mean = x.mean((0, 2, 3))
    return mean, (x - mean[:, None, None]).square().mean((0, 2, 3))  # var_mean is slow here


def normalise_and_record(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Moments]:
    """Normalise x (N, C, H, W) with its own moments, and these, without a gradient."""
    mean, variance = x.new_zeros(x.shape[1]), x.new_zeros(x.shape[1])
    out = F.batch_norm(x, mean, variance, weight, bias, training=True, momentum=1.0, eps=eps)
    count = x.numel() // x.shape[1]
    return out, (mean, variance * ((count - 1) / count))  # torch's is the unbiased one


def normalise(x: Tensor, weight: Tensor, bias: Tensor, given: Moments, eps: float) -> Tensor:
    """Normalise x (N, C, H, W) with given moments; differentiable in these too."""
    mean, variance = given
    scale = weight * torch.rsqrt(variance + eps)
    return torch.addcmul((bias - mean * scale)[:, None, None], x, scale[:, None, None])


def in_scope(name: str, x: Tensor, weight: Tensor, bias: Tensor, running: Moments, eps: float) -> Tensor:
    """Normalise x (N, C, H, W) in the layer of that name, with the statistics that the scope asks for.

    Raises:
        KeyError: the scope's statistics lack this layer. ValueError: the layer runs twice in one recorded pass.
    """
    scope = _SCOPE.get()
    if scope is None:
        return normalise(x, weight, bias, running, eps)
    if scope.given:
        return normalise(x, weight, bias, scope.tape[name], eps)
    if scope.record:
        if name in scope.tape:
            raise ValueError(f"layer {name!r} ran twice in one pass; give every use a normalisation layer of its own")
        if scope.constant:
            out, scope.tape[name] = normalise_and_record(x, weight, bias, eps)
            return out
        scope.tape[name] = moments(x)
    return batch_norm(x, weight, bias, eps)
