"""The modules that learners share: a normalisation layer that never writes, and a network of a body and a head."""

from abc import ABC, abstractmethod
from typing import Literal, cast

import torch
from torch import Tensor, nn

from robustmeta.core import Head, StudyError
from robustmeta.functional.by_task import convolve, relu_
from robustmeta.functional.inner_loop import AdamState, Params
from robustmeta.functional.normalise import Statistics, in_scope, inner_step

Mode = Literal["auto", "batch", "support_plus_one", "per_step"]
"""Whose statistics normalise a query: ``auto`` = the support's where weights adapt and the running ones otherwise (both
inductive), ``batch`` = those of all queries of the task together (transductive), ``support_plus_one`` = those of the
support and this query, ``per_step`` = running ones of each inner step, with weights and biases of each step (Antoniou
et al. 2019, How to train your MAML, section 4; a network trained without inner steps has one set: ``auto``)."""

Layers = Literal["all", "head", "body"]


class Norm(nn.Module):
    """Batch normalisation that writes nothing in ``forward``; scopes of ``functional.normalise`` choose its statistics.

    Outside of a scope these are the running averages, which only ``Network.follow`` changes.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, mode: Mode = "auto", eps: float = 1e-5) -> None:
        super().__init__()
        self.mode: Mode = mode
        self.key = ""
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.steps = 0

    def for_each_step(self, steps: int) -> None:
        """Hold weights, biases and running averages for inner steps 0..steps, (steps + 1, C)."""
        self.steps = steps

        def rows(v: Tensor) -> Tensor:
            return v.detach().expand(steps + 1, -1).clone()

        self.weight, self.bias = nn.Parameter(rows(self.weight)), nn.Parameter(rows(self.bias))
        self.running_mean, self.running_var = rows(self.running_mean), rows(self.running_var)

    def averages(self, step: int) -> tuple[Tensor, Tensor]:
        """The running mean and variance (C,), of an inner step where each has its own; later steps have the last's."""
        if not self.steps:
            return self.running_mean, self.running_var
        k = min(step, self.steps)
        return self.running_mean[k], self.running_var[k]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        k = inner_step()
        here = (min(k, self.steps),) if self.steps else ...
        return in_scope(self.key, x, self.weight[here], self.bias[here], self.averages(k), self.eps)


class Conv(nn.Conv2d):
    """A convolution that vmap over tasks computes fast where each task has weights of its own."""

    def __init__(self, plain: nn.Conv2d) -> None:
        sizes = cast("tuple[int, int]", plain.kernel_size), cast("tuple[int, int]", plain.stride)
        super().__init__(plain.in_channels, plain.out_channels, *sizes, device="meta", bias=False)
        self.sides = cast("tuple[int, int]", plain.stride), cast("tuple[int, int]", plain.padding)
        self.weight, self.bias = plain.weight, plain.bias

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, P, Q)."""
        return convolve(input, self.weight, self.bias, *self.sides)

    @staticmethod
    def can_be(plain: nn.Module) -> bool:
        """Whether a module is a convolution of this kind: zeros around the image, no groups, no dilation."""
        return (
            type(plain) is nn.Conv2d
            and plain.groups == 1
            and plain.padding_mode == "zeros"
            and plain.dilation == (1, 1)
            and not isinstance(plain.padding, str)
        )


class InPlaceReLU(nn.Module):
    """max(x, 0), which overwrites x unless vmap runs over tasks."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        return relu_(x)


def replace_layers(module: nn.Module) -> None:
    """Replace layers by ours with the same weights.

    BatchNorm2d, which writes when it runs, plain convolutions, and ReLU in place, which are slow over tasks.
    """
    for name, child in module.named_children():
        replace_layers(child)
        if isinstance(child, nn.BatchNorm2d):
            norm = Norm(child.num_features, eps=child.eps)
            state = {k: v for k, v in child.state_dict().items() if k != "num_batches_tracked"}
            norm.load_state_dict(norm.state_dict() | state)
            setattr(module, name, norm)
        elif isinstance(child, nn.Conv2d) and Conv.can_be(child):
            setattr(module, name, Conv(child))
        elif isinstance(child, nn.ReLU) and child.inplace:
            setattr(module, name, InPlaceReLU())


class ContextHead(nn.Module, ABC):
    """A head with weights of its own that reads a support set instead of being trained on it.

    ``way`` is the one number of classes that it serves, 0 = any. All of it is differentiable in the features.
    """

    way: int = 0

    @abstractmethod
    def fit(self, z: Tensor, y: Tensor, way: int) -> Head:
        """The classifier of T tasks from their supports' features (T, S, D) and labels (T, S) in 0..way-1."""

    def forward(self, z: Tensor) -> Tensor:
        """Features as they are: without a support there are no logits."""
        return z


class Network(nn.Module):
    """A body (N, C, H, W) -> (N, D) with an int attribute ``features`` = D, and a head.

    The head is ``head`` where it is given, a linear one for ``way`` classes, or none if ``way`` is 0. ``centre`` (D,)
    is the mean feature of the source images, zero before training has ended. ``inner_steps`` is how many of them
    normalisation ``per_step`` tells apart; with none it is ``auto``. ``moments`` gives it buffers for an inner Adam:
    ``second``, the second moments of all parameters in one vector, and ``updates``, how many updates they average.
    """

    centre: Tensor
    second: Tensor | None
    updates: Tensor | None

    def __init__(
        self,
        body: nn.Module,
        way: int = 0,
        *,
        head: nn.Module | None = None,
        moments: bool = False,
        inner_steps: int = 0,
    ) -> None:
        super().__init__()
        replace_layers(body)
        for norm in (m for m in body.modules() if isinstance(m, Norm) and m.mode == "per_step"):
            if inner_steps:
                norm.for_each_step(inner_steps)
            else:
                norm.mode = "auto"
        self.body = body
        self.features = int(cast("int", body.features))
        self.way = way
        self.head = head or (nn.Linear(self.features, way) if way else nn.Identity())
        self.rates = nn.ParameterDict()
        self.register_buffer("centre", torch.zeros(self.features))
        size = sum(p.numel() for p in self.parameters())
        self.register_buffer("second", torch.zeros(size) if moments else None)
        self.register_buffer("updates", torch.zeros((), dtype=torch.float64) if moments else None)
        self.norms = {name: m for name, m in self.named_modules() if isinstance(m, Norm)}
        for name, norm in self.norms.items():
            norm.key = name
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, way), or features where there is no head."""
        return self.head(self.body(x))

    @property
    def mode(self) -> Mode:
        """Whose statistics normalise a query in the body; ``auto`` where no layer depends on other images."""
        modes: set[Mode] = {n.mode for name, n in self.norms.items() if name.startswith("body.")}
        return modes.pop() if len(modes) == 1 else "auto"

    def live_parts(self, layers: Layers) -> tuple[dict[str, nn.Parameter], dict[str, nn.Parameter]]:
        """Parameters but for learned rates: those that stay in an inner loop over the named layers, and those of it."""
        params = {k: p for k, p in self.named_parameters() if not k.startswith("rates.")}
        own = {k: p for k, p in params.items() if layers == "all" or k.startswith(f"{layers}.")}
        return {k: p for k, p in params.items() if k not in own}, own

    def parts(self, layers: Layers) -> tuple[Params, Params]:
        """The same, detached."""
        shared, own = self.live_parts(layers)
        return {k: p.detach() for k, p in shared.items()}, {k: p.detach() for k, p in own.items()}

    def learn_rates(self, rates: Params) -> None:
        """Hold learned rates of an inner loop: by parameter, (K, ...) for its steps 0..K-1, each row against θ."""
        self.rates = nn.ParameterDict({k.replace(".", "/"): nn.Parameter(rate) for k, rate in rates.items()})

    def rates_at(self, step: int) -> Params:
        """The learned rates of an inner step by parameter; later steps have the last's."""
        return {k.replace("/", "."): rate[min(step, len(rate) - 1)] for k, rate in self.rates.items()}

    def follow(self, statistics: Statistics, momentum: float = 0.1, step: int = 0) -> None:
        """Move the running averages towards a pass's statistics (averaged over a leading T): r + m (s − r).

        ``step``: the inner step of the pass, where each has averages of its own.
        """
        for name, seen in statistics.items():
            for average, new in zip(self.norms[name].averages(step), seen, strict=True):
                average.lerp_(new.detach().reshape(-1, len(average)).mean(0), momentum)

    def adam_state(self) -> AdamState:
        """A copy of the inner Adam's state, by parameter; zeros where the network carries none."""
        params = self.live_parts("all")[1]
        if self.second is None or self.updates is None:
            return {k: torch.zeros_like(p) for k, p in params.items()}, torch.zeros((), dtype=torch.float64)
        sizes = [p.numel() for p in params.values()]
        pieces = zip(params.items(), self.second.clone().split(sizes), strict=True)
        return {k: v.view_as(p) for (k, p), v in pieces}, self.updates.clone()

    def keep_adam_state(self, state: AdamState) -> None:
        """Write the inner Adam's state to the buffers."""
        second, updates = state
        if self.second is not None and self.updates is not None:
            self.second.copy_(torch.cat([v.flatten() for v in second.values()]))
            self.updates.copy_(updates)


def as_network(net: nn.Module) -> Network:
    """The network that a built-in method has built.

    Raises:
        StudyError: any other module; its method must bring an adaptation of its own.
    """
    if not isinstance(net, Network):
        raise StudyError(f"this adaptation needs a robustmeta.nets.Network, got a {type(net).__name__}")
    return net
