"""Training with half of the bits in a network's forward passes."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from robustmeta.functional.by_task import convolve
from robustmeta.nets import Conv, Norm

Forward = Callable[[Tensor], Tensor]


@contextmanager
def forward_passes(net: nn.Module, precision: Literal["float32", "bf16"]) -> Generator[None]:
    """Within it the network's forward passes are in that precision; what they return is float32 in any case.

    Its normalisation layers, whose statistics are averages over many pixels, stay in float32.
    """
    with ExitStack() as undo:
        if precision == "bf16":
            undo.enter_context(_wrapped(net, _half))
            for module in net.modules():
                if isinstance(module, Norm):
                    undo.enter_context(_wrapped(module, _full))
                if isinstance(module, Conv):
                    undo.enter_context(_wrapped(module, _cast(module)))
        yield


@contextmanager
def _wrapped(module: nn.Module, wrap: Callable[[Forward], Forward]) -> Generator[None]:
    module.forward = wrap(module.forward)
    try:
        yield
    finally:
        del module.forward  # the one of its class shows again


def _half(forward: Forward) -> Forward:
    def run(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return forward(x).float()

    return run


def _full(forward: Forward) -> Forward:
    def run(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return forward(x.float())

    return run


def _cast(conv: Conv) -> Callable[[Forward], Forward]:
    """Our convolutions have derivatives of their own, of which autocast knows nothing: all of it is cast by hand."""

    def wrap(forward: Forward) -> Forward:
        def run(x: Tensor) -> Tensor:
            bias = None if conv.bias is None else conv.bias.bfloat16()
            with torch.autocast(x.device.type, enabled=False):
                return convolve(x.bfloat16(), conv.weight.bfloat16(), bias, *conv.sides)

        return run

    return wrap
