"""One meta-step of MAML by other programs, on plain torch modules: the gradient of the mean query loss over tasks.

Each peer is (net, tasks, layers, rate, steps) -> (loss, gradients by name of parameter). Statistics are those of each
pass, which is our ``norm: batch``. The published programs are imported where they are called.
"""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from robustmeta.core import Tasks
from robustmeta.nets import Network

Gradients = tuple[float, dict[str, Tensor]]
Rates = float | dict[str, Tensor]
Peer = Callable[[nn.Module, Tasks, str, Rates, int], Gradients]


def plain(net: Network) -> nn.Module:
    """conv4 with a linear head as torch's own modules, with the weights of ours under the same names."""
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for i in range(4):
        conv: Any = net.get_submodule(f"body.block{i}.conv")
        norm = nn.BatchNorm2d(conv.out_channels, track_running_stats=False)
        layers = {"conv": nn.Conv2d(conv.in_channels, conv.out_channels, 3, 2, 1, bias=False), "norm": norm}
        blocks[f"block{i}"] = nn.Sequential(OrderedDict(layers, relu=nn.ReLU()))
    body = nn.Sequential(OrderedDict(blocks, flat=nn.Flatten()))
    made = nn.Sequential(OrderedDict(body=body, head=nn.Linear(net.features, net.way)))
    made.load_state_dict({k: p.detach() for k, p in net.named_parameters() if k in made.state_dict()})
    return made.to(next(net.parameters()).dtype)


def each(tasks: Tasks) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The tasks one by one."""
    return list(zip(tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y, strict=True))


def rate_of(rates: Rates, name: str) -> Any:
    """The rate of a parameter."""
    return rates if isinstance(rates, float) else rates[name]


def adapts(name: str, layers: str) -> bool:
    """Whether the inner loop changes a parameter."""
    return layers == "all" or name.startswith(f"{layers}.")


def collected(net: nn.Module, loss: float) -> Gradients:
    """The loss, and what stands in ``.grad``."""
    return loss, {k: p.grad for k, p in net.named_parameters() if p.grad is not None}


def by_higher(net: nn.Module, tasks: Tasks, layers: str, rates: Rates, steps: int) -> Gradients:
    """``higher`` 0.2.1, a task after the other."""
    import higher

    net.zero_grad()
    own = {k: p for k, p in net.named_parameters() if adapts(k, layers)}
    if isinstance(rates, dict):  # a group a parameter, whose rate is replaced by a tensor
        inner = torch.optim.SGD([{"params": [p]} for p in own.values()], lr=0.1)
        override = {"lr": [rates[k] for k in own]}
    else:
        inner, override = torch.optim.SGD(own.values(), lr=rates), None
    total = 0.0
    for sx, sy, qx, qy in each(tasks):
        context = higher.innerloop_ctx(net, inner, copy_initial_weights=False, override=override)
        with context as (learner, descent):
            for _ in range(steps):
                descent.step(F.cross_entropy(learner(sx), sy))
            loss = F.cross_entropy(learner(qx), qy) / len(tasks.support_y)
            loss.backward()
        total += loss.item()
    learned = {f"rates.{k}": r.grad for k, r in rates.items()} if isinstance(rates, dict) else {}
    loss, gradients = collected(net, total)
    return loss, gradients | {k: g for k, g in learned.items() if g is not None}


def by_clones(net: nn.Module, tasks: Tasks, layers: str, rates: Rates, steps: int) -> Gradients:
    """A plain loop over tasks: a clone of the module whose entries are the differentiable results of the steps."""
    net.zero_grad()
    total, clone = 0.0, copy.deepcopy(net)
    for sx, sy, qx, qy in each(tasks):
        values = {k: p.clone() for k, p in net.named_parameters()}
        for step in range(steps + 1):
            for name, value in values.items():
                place, _, entry = name.rpartition(".")
                owner = clone.get_submodule(place)
                owner._parameters[entry] = value  # type: ignore[assignment]
            if step == steps:
                break
            own = [k for k in values if adapts(k, layers)]
            loss = F.cross_entropy(clone(sx), sy)
            slopes = torch.autograd.grad(loss, [values[k] for k in own], create_graph=True)
            values |= {k: values[k] - rate_of(rates, k) * g for k, g in zip(own, slopes, strict=True)}
        loss = F.cross_entropy(clone(qx), qy) / len(tasks.support_y)
        loss.backward()
        total += loss.item()
    return collected(net, total)


def by_vmap(net: nn.Module, tasks: Tasks, layers: str, rates: Rates, steps: int) -> Gradients:
    """torch.func as its manual has it: vmap over tasks of grad within grad."""
    params = {k: p.detach() for k, p in net.named_parameters()}

    def loss(values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(net, values, (x,)), y)

    def task(values: dict[str, Tensor], sx: Tensor, sy: Tensor, qx: Tensor, qy: Tensor) -> Tensor:
        for _ in range(steps):
            own = {k: v for k, v in values.items() if adapts(k, layers)}
            slopes = torch.func.grad(lambda o, v=values: loss({**v, **o}, sx, sy))(own)
            values = {**values, **{k: values[k] - rate_of(rates, k) * g for k, g in slopes.items()}}
        return loss(values, qx, qy)

    def mean(values: dict[str, Tensor]) -> Tensor:
        parts = (tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y)
        return vmap(task, in_dims=(None, 0, 0, 0, 0))(values, *parts).mean()

    gradients, value = grad_and_value(mean)(params)
    return value.item(), gradients


class _Wrapped(nn.Module):
    """A module whose forward pass takes keywords, which parallel-metalearn's wrapper passes on."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, training: bool = False, num_step: int = 0) -> Tensor:
        return self.inner(x)


def parallel(net: nn.Module, rate: float, steps: int, backend: str) -> Callable[[Tasks], Gradients]:
    """parallel-metalearn 0.5.6 set up for a network; its outer optimiser moves nothing, so the gradient stays."""
    from metalearn.algorithms.MAML import MAML
    from metalearn.inner_optimizers.optimizers import InnerSGD
    from metalearn.loss.categorical_accuracy import CategoricalAccuracy
    from metalearn.loss.CEloss import CrossEntropy
    from metalearn.model_wrappers.MAMLWrapper import MAML_Model

    body, head = _Wrapped(net.get_submodule("body")), _Wrapped(net.get_submodule("head"))
    model = MAML_Model(body, head)
    inner = InnerSGD(model.get_fast_weights(), inner_lr=rate, max_inner_steps=steps, learn_lr=False)
    outer = torch.optim.SGD(model.parameters(), lr=0.0)
    learner = MAML(
        model=model,
        optimizer=outer,
        inner_optimizer=inner,
        support_loss_fn=CrossEntropy(CategoricalAccuracy()),
        inner_steps=steps,
        device=torch.device("cpu"),
        backend=backend,
    )

    def step(tasks: Tasks) -> Gradients:
        parts = (tasks.support_x, {"labels": tasks.support_y}, tasks.query_x, {"labels": tasks.query_y})
        loss, _ = learner.step(iter([parts]))
        return collected(net, loss)

    return step


def by_parallel(net: nn.Module, tasks: Tasks, layers: str, rates: Rates, steps: int) -> Gradients:
    """parallel-metalearn 0.5.6, all tasks at once."""
    assert layers == "all"
    assert isinstance(rates, float)
    return parallel(net, rates, steps, "vmap")(tasks)


def by_parallel_in_turn(net: nn.Module, tasks: Tasks, layers: str, rates: Rates, steps: int) -> Gradients:
    """parallel-metalearn 0.5.6, a task after the other."""
    assert layers == "all"
    assert isinstance(rates, float)
    return parallel(net, rates, steps, "sequential")(tasks)
