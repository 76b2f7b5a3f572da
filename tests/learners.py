"""Small tasks and networks for tests of learning, and the checks that planted faults must turn red."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.backbones.conv4 import Conv4
from robustmeta.config.components import Adaptation, Method
from robustmeta.core import Batch, Classifier, Tasks, copy_state
from robustmeta.functional import inner_loop
from robustmeta.functional.schedules import share
from robustmeta.methods.maml import Maml
from robustmeta.methods.reptile import Reptile
from robustmeta.nets import Network
from robustmeta.registry import builtin, resolve
from robustmeta.rng import Rng

SIZE = 16
DIET = {"way": 3, "shot": 2, "query": 2, "tasks": 2}
FEW_STEPS = {
    "cosine_head": {"epochs": 20, "rate": 0.1},
    "full_finetune": {"epochs": 2, "rate": 0.05},
    "linear_sgd": {"epochs": 20, "rate": 0.1},
    "lp_ft": {"steps": 2},
    "transductive_finetune": {"steps": 2, "rate": 1e-2},
}
"""Adaptations that take many steps by default, and what a test gives them instead."""


def made_tasks(
    count: int = 2, way: int = 3, shot: int = 2, query: int = 2, dtype: torch.dtype = torch.float32
) -> Tasks:
    """Tasks of noisy random patterns, in random order, keyed by the task's number."""
    rng = Rng(7, ("made",), np.arange(count, dtype=np.uint64))
    patterns = rng.uniform(way, 1, SIZE, SIZE)

    def part(images: int) -> tuple[Tensor, Tensor]:
        y = torch.arange(way).repeat_interleave(images)[rng.permutation(way * images)]
        x = patterns[torch.arange(count)[:, None], y] * 0.6 + 0.4 * rng.uniform(way * images, 1, SIZE, SIZE)
        return x.to(dtype), y

    return Tasks(*part(shot), *part(query), way)


def made_batch(images: int = 12, classes: int = 5) -> Batch:
    """Plain images of as many classes."""
    rng = Rng(8, ("batch",), [0])
    return Batch(rng.uniform(images, 1, SIZE, SIZE)[0], torch.arange(images) % classes)


def small(name: str) -> Method:
    """A built-in method with a small diet."""
    extra = {
        "metaoptnet": {"train": DIET, "c": 10.0, "scale": 5.0},
        "anil": {"train": DIET, "inner_steps": 3, "inner_rate": 0.5},
        "boil": {"train": DIET, "inner_steps": 2},
        "lstm": {"train": DIET, "units": 20},
        "mann": {"train": DIET, "units": 20, "slots": 16, "size": 8, "heads": 2},
        "mamlpp": {"train": DIET, "inner_steps": 3, "inner_rate": 0.3},
        "meta_sgd": {"train": DIET, "inner_steps": 2, "inner_rate": 0.3},
        "scratch": {},
        "snail": {"train": DIET, "filters": 8},
        "supervised": {"train": {"batch": 12}},
        "supervised_cosine": {"train": {"batch": 12}},
        "reptile": {
            "train": {**DIET, "query": 0},
            "inner_steps": 4,
            "inner_batch": 4,
            "test_steps": 5,
            "test_batch": 4,
            "inner_rate": 0.01,
        },
    }
    return resolve("methods", name).model_validate(extra.get(name, {"train": DIET}))  # type: ignore[attr-defined]


def meal(method: Method) -> Tasks | Batch:
    """What one step of the method eats."""
    d = method.diet()
    return made_batch(d.batch) if d.batch else made_tasks(d.tasks, d.way, d.shot, d.query)


def build(method: Method, norm: str = "auto", seed: int = 0, width: int = 4) -> Network:
    """The method's network on a narrow conv4 for 16 x 16 images."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = method.build(Conv4(width=width, norm=norm), SIZE, 1, 5)  # type: ignore[arg-type]
    assert isinstance(net, Network)
    return net


def train(method: Method, net: nn.Module, steps: int = 3) -> list[float]:
    """A few steps as the training loop takes them, if the method takes any; the losses."""
    if not method.diet().images:
        return []
    optimiser = method.optimiser(net)
    highest = [group["lr"] for group in optimiser.param_groups]
    losses = []
    for step in range(steps):
        for group, rate in zip(optimiser.param_groups, highest, strict=True):
            group["lr"] = rate * share(method.schedule, step / steps)
        optimiser.zero_grad()
        losses.append(method.backward(net, meal(method), Rng(0, ("train",), [step])).loss)
        optimiser.step()
    return losses


def task_rng(count: int) -> Rng:
    """A key a task."""
    return Rng(3, ("adapt",), np.arange(count, dtype=np.uint64))


def adapted(adaptation: Adaptation, net: nn.Module, tasks: Tasks) -> Classifier:
    """The adaptation on the supports of tasks."""
    return adaptation.adapt(net, tasks.support_x, tasks.support_y, tasks.way, task_rng(len(tasks.support_y)))


def adaptations(method: Method) -> dict[str, Adaptation]:
    """Every built-in adaptation that the method's network allows, few steps each; native under its own name."""
    plain = {name: resolve("adaptations", name)() for name in builtin("adaptations")}  # type: ignore[operator]
    native = method.adaptation()
    if not method.traits.fixed_way:
        del plain["gradient"]
    del plain["in_context"]  # but for the networks whose own it is
    return {k: a.model_copy(update=FEW_STEPS.get(k, {})) for k, a in (plain | {native.name: native}).items()}


def native(name: str) -> str:
    """The name of a built-in method's own adaptation."""
    return small(name).adaptation().name


@contextmanager
def one_by_one() -> Iterator[None]:
    """Every pass over several tasks is a loop, so that hooks see whole batches."""
    with inner_loop.forced(batched=False):
        yield


def state_is_untouched(adaptation: Adaptation, net: nn.Module, tasks: Tasks) -> bool:
    """Whether adapting and classifying leave parameters, buffers, modes and gradients as they were."""
    before, training = copy_state(net), [m.training for m in net.modules()]
    grads = [p.grad for p in net.parameters()]
    x = tasks.query_x.clone().requires_grad_()
    adapted(adaptation, net, tasks)(x).sum().backward()
    same = all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    return (
        same
        and before.keys() == net.state_dict().keys()
        and training == [m.training for m in net.modules()]
        and all(a is b for a, b in zip(grads, (p.grad for p in net.parameters()), strict=True))
    )


def looks_at_other_queries(classifier: Classifier, x: Tensor) -> bool:
    """Whether the logits of the first query change with the second."""
    other = x.clone()
    other[:, 1] = 1 - other[:, 1]
    with torch.no_grad():
        return not torch.allclose(classifier(x)[:, 0], classifier(other)[:, 0], atol=1e-5)


def maml_gap(order: int = 2, norm: str = "auto") -> float:
    """|directional derivative − finite difference| / |finite difference| of the meta-loss, in float64."""
    return meta_gap(Maml(train=DIET, inner_steps=2, inner_rate=0.5, order=order), norm)  # type: ignore[arg-type]


def meta_gap(method: Method, norm: str = "auto", progress: float = 0.0, part: str = "") -> float:
    """The same for any method, along a random direction in the parameters whose names begin with ``part``."""
    net, tasks = build(method, norm).double(), made_tasks(dtype=torch.float64)
    rng, moved = Rng(0, ("train",), [0]), [p for k, p in net.named_parameters() if k.startswith(part)]
    method.backward(net, tasks, rng, progress)
    generator = torch.Generator().manual_seed(0)
    direction = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in moved]
    slope = sum(float((p.grad * d).sum()) for p, d in zip(moved, direction, strict=True))  # type: ignore[operator]
    start, losses = [p.detach().clone() for p in moved], []
    for h in (1e-7, -1e-7):  # small enough to meet no kink of a ReLU
        with torch.no_grad():
            for p, s, d in zip(moved, start, direction, strict=True):
                p.copy_(s + h * d)
        losses.append(method.backward(net, tasks, rng, progress).loss)
    difference = (losses[0] - losses[1]) / 2e-7
    return abs(slope - difference) / abs(difference)


def plain_network(net: Network, x: Tensor) -> Tensor:
    """conv4 and its head written out with torch.nn.functional, on the statistics of x."""
    p = dict(net.named_parameters())
    for i in range(4):
        x = F.conv2d(x, p[f"body.block{i}.conv.weight"], stride=2, padding=1)
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
        gain, offset = (p[f"body.block{i}.norm.{k}"][None, :, None, None] for k in ("weight", "bias"))
        x = F.relu((x - mean) / (var + 1e-5).sqrt() * gain + offset)
    return x.flatten(1) @ p["head.weight"].T + p["head.bias"]


def per_step_gap(steps: int = 2) -> float:
    """The largest difference of logits from adapting under ``norm: per_step`` written out for one task, in float64."""
    method = Maml(train=DIET, inner_steps=steps, inner_rate=0.3)
    net, tasks = build(method, "per_step"), made_tasks(1, dtype=torch.float64)
    train(method, net, 3)  # rows of different steps differ
    net = net.double()
    adaptation = method.adaptation()
    logits = adapted(adaptation, net, tasks)(tasks.query_x)[0]
    params = {k: p.detach().clone().requires_grad_() for k, p in net.named_parameters()}

    def forward(x: Tensor, k: int) -> Tensor:
        for i in range(4):
            norm = dict(net.named_modules())[f"body.block{i}.norm"]
            x = F.conv2d(x, params[f"body.block{i}.conv.weight"], stride=2, padding=1)
            scale, shift = (params[f"body.block{i}.norm.{n}"][k] for n in ("weight", "bias"))
            x = F.relu(F.batch_norm(x, norm.running_mean[k], norm.running_var[k], scale, shift, eps=1e-5))  # type: ignore[index]
        return x.flatten(1) @ params["head.weight"].T + params["head.bias"]

    for k in range(steps):
        loss = F.cross_entropy(forward(tasks.support_x[0], k), tasks.support_y[0])
        slopes = torch.autograd.grad(loss, list(params.values()))
        for p, g in zip(params.values(), slopes, strict=True):
            p.data -= 0.3 * g
    return float((forward(tasks.query_x[0], steps) - logits).detach().abs().max())


def reptile_gap(steps: int = 3, carry: str = "sequential") -> float:
    """The largest difference from the published algorithm written out, over a few meta-steps."""
    method = small("reptile").model_copy(update={"carry": carry})
    assert isinstance(method, Reptile)
    net = build(method).double()
    theta = {k: p.detach().clone() for k, p in net.named_parameters()}
    tasks = made_tasks(2, 3, 2, 0, torch.float64)
    optimiser = method.optimiser(net)
    highest = [group["lr"] for group in optimiser.param_groups]
    for step in range(steps):
        for group, rate in zip(optimiser.param_groups, highest, strict=True):
            group["lr"] = rate * share(method.schedule, step / steps)
        optimiser.zero_grad()
        method.backward(net, tasks, Rng(0, ("train",), [step]))
        optimiser.step()
    expected = _published_reptile(method, theta, tasks, steps)
    return max(float((expected[k] - p.detach()).abs().max()) for k, p in net.named_parameters())


def _published_reptile(method: Reptile, theta: dict[str, Tensor], tasks: Tasks, steps: int) -> dict[str, Tensor]:
    net = build(method).double()
    second, count = {k: torch.zeros_like(v) for k, v in theta.items()}, 0
    for step in range(steps):
        rng, ends = Rng(0, ("train",), [step]), []
        for x, y in zip(tasks.support_x, tasks.support_y, strict=True):
            net.load_state_dict(theta, strict=False)
            if method.carry == "none":
                second, count = {k: torch.zeros_like(v) for k, v in theta.items()}, 0
            batches, batch = [], []
            for _ in range(3):  # 4 batches of 4 out of 6 images: three passes
                for i in rng.permutation(len(y))[0].tolist():
                    batch.append(i)
                    if len(batch) == method.inner_batch:
                        batches.append(batch)
                        batch = []
            for rows in batches[: method.inner_steps]:
                net.zero_grad()
                F.cross_entropy(plain_network(net, x[rows]), y[rows]).backward()
                count += 1
                for k, p in net.named_parameters():
                    second[k] = 0.999 * second[k] + 0.001 * p.grad**2  # type: ignore[operator]
                    corrected = second[k] / (1 - 0.999**count)
                    p.data -= method.inner_rate * p.grad / (corrected.sqrt() + 1e-8)  # type: ignore[operator]
            ends.append({k: p.detach().clone() for k, p in net.named_parameters()})
        epsilon = method.meta_step * (1 - step / steps)
        theta = {k: v + epsilon * ((ends[0][k] + ends[1][k]) / 2 - v) for k, v in theta.items()}
    return theta
