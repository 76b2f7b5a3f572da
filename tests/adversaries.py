"""Adversarial training written out, and the checks that planted faults must turn red. All in float64."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import learners
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from robustmeta.config.components import Method
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.functional.normalise import batch_statistics, given_statistics
from robustmeta.methods.adversary import Adversary, image_keys
from robustmeta.nets import Network
from robustmeta.rng import Rng, combine

EPS, STEPS, SIZE = 0.1, 3, 0.25
FOE: dict[str, Any] = {"eps": EPS, "steps": STEPS, "step_size": SIZE}
Logits = Callable[[Tensor], Tensor]


def step_rng(step: int = 3) -> Rng:
    """A step's; draws count, so each use needs its own."""
    return Rng(0, ("train",), [step])


def small(name: str, **adversary: Any) -> Method:
    """A built-in method with a small diet and an adversary."""
    method = learners.small(name)
    return method.model_validate({**dict(method), "adversary": FOE | adversary})


def natural(method: Method) -> Method:
    """The same without it."""
    return method.model_validate({**dict(method), "adversary": None})


def meal(method: Method) -> Any:
    """What a step eats, in float64."""
    d = method.diet()
    if d.batch:
        batch = learners.made_batch(d.batch)
        return Batch(batch.x.double(), batch.y)
    return learners.made_tasks(d.tasks, d.way, d.shot, d.query, torch.float64)


def build(method: Method, norm: str = "auto") -> Network:
    """Its network after some natural steps, so that running averages are those of images."""
    net = learners.build(method, norm)
    learners.train(natural(method), net, 3)
    for p in net.parameters():
        p.grad = None
    return net.double()


def stepped(method: Method, net: Network, food: Any, step: int = 3) -> tuple[dict[str, Tensor], StepStats]:
    """The gradients of a step, and what it reports."""
    for p in net.parameters():
        p.grad = None
    stats = method.backward(net, food, step_rng(step))
    return {k: p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}, stats


def gap(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest difference of two sets of gradients, relative to the largest gradient."""
    assert a.keys() == b.keys()
    return max(float((a[k] - b[k]).abs().max()) for k in a) / max(float(v.abs().max()) for v in b.values())


def climbed(x: Tensor, rise: Callable[[Tensor], Tensor], *stream: object) -> Tensor:
    """PGD in L∞ written out on images (N, C, H, W): ``rise`` is the sum of what is climbed."""
    keys = combine(np.array([3], np.uint64), image_keys(x))
    start = Rng(0, ("train", "adversary", *stream), keys).uniform(*x.shape[1:])
    at = (x + EPS * (2 * start - 1)).clamp(0, 1)
    for _ in range(STEPS):
        leaf = at.clone().requires_grad_()
        (slope,) = torch.autograd.grad(rise(leaf), leaf)
        at = torch.minimum(torch.maximum(at + SIZE * EPS * slope.sign(), x - EPS), x + EPS).clamp(0, 1)
    return at


def wrongly(logits: Logits, y: Tensor) -> Callable[[Tensor], Tensor]:
    """The cross-entropy of labels."""
    return lambda x: F.cross_entropy(logits(x), y, reduction="sum")


def apart(clean: Tensor, attacked: Tensor) -> Tensor:
    """KL(p ‖ q) of each image, written out: Σ p (log p − log q)."""
    p, q = clean.softmax(-1), attacked.softmax(-1)
    return (p * (p.log() - q.log())).sum(-1)


def away(logits: Logits, x: Tensor) -> Callable[[Tensor], Tensor]:
    """The divergence from the clean images' chances."""
    clean = logits(x).detach()
    return lambda at: apart(clean, logits(at)).sum()


def _prototype_logits(net: Network, x: Tensor, y: Tensor, way: int) -> Logits:
    """Distances to class means under running averages: what protonet is tested as."""
    z = net.body(x).detach()
    centres = torch.stack([z[y == k].mean(0) for k in range(way)])
    return lambda q: -(net.body(q)[:, None] - centres).square().sum(-1)


def protonet_gap(loss: str = "cross_entropy") -> float:
    """A step of protonet, from a step that is written out, under running averages for the attack."""
    method = small("protonet", loss=loss)
    net, tasks = build(method), meal(method)
    got, _ = stepped(method, build(method), tasks)
    made: list[Tensor] = []
    for x, y, q, wanted in zip(tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y, strict=True):
        logits = _prototype_logits(net, x, y, tasks.way)
        made.append(climbed(q, away(logits, q) if loss == "trades" else wrongly(logits, wanted)))
    protonet_loss(net, tasks, torch.stack(made), loss).backward()
    return gap(got, {k: p.grad for k, p in net.named_parameters() if p.grad is not None})


def protonet_loss(net: Network, tasks: Tasks, attacked: Tensor, loss: str, beta: float = 6.0) -> Tensor:
    """The loss of a step whose attacked queries (T, Q, C, H, W) are there already, written out."""
    queries = torch.cat([tasks.query_x, attacked], 1) if loss == "trades" else attacked
    x = torch.cat([tasks.support_x, queries], 1)
    with batch_statistics():
        z = net.body(x.flatten(0, 1)).unflatten(0, x.shape[:2])
    total, shots = torch.zeros((), dtype=x.dtype), tasks.support_x.shape[1]
    for z_t, y, wanted in zip(z, tasks.support_y, tasks.query_y, strict=True):
        centres = torch.stack([z_t[:shots][y == k].mean(0) for k in range(tasks.way)])
        logits = -(z_t[shots:, None] - centres).square().sum(-1)
        if loss == "trades":
            clean, moved = logits.chunk(2)
            total = total + F.cross_entropy(clean, wanted) + beta * apart(clean, moved).mean()
        else:
            total = total + F.cross_entropy(logits, wanted)
    return total / len(z)


def trades_slope_gap() -> float:
    """|slope of the TRADES step − finite difference of the written loss at fixed attacked queries|, relative."""
    method = small("protonet", loss="trades")
    net, tasks = build(method), meal(method)
    got, _ = stepped(method, build(method), tasks)
    doubled, _ = method.attacked(net, tasks, step_rng())  # type: ignore[attr-defined]
    attacked = doubled.query_x[:, tasks.query_x.shape[1] :]
    generator = torch.Generator().manual_seed(0)
    direction = {k: torch.randn(g.shape, generator=generator, dtype=g.dtype) for k, g in got.items()}
    slope = sum(float((g * direction[k]).sum()) for k, g in got.items())
    start, losses = {k: p.detach().clone() for k, p in net.named_parameters()}, []
    for h in (1e-7, -1e-7):
        with torch.no_grad():
            for k, p in net.named_parameters():
                p.copy_(start[k] + h * direction[k]) if k in direction else None
            losses.append(float(protonet_loss(net, tasks, attacked, "trades")))
    difference = (losses[0] - losses[1]) / 2e-7
    return abs(slope - difference) / abs(difference)


def supervised_gap(loss: str = "cross_entropy") -> float:
    """A step of the supervised baseline, from one that is written out."""
    method = small("supervised", loss=loss)
    net, batch = build(method), meal(method)
    got, _ = stepped(method, build(method), batch)
    rise = away(net, batch.x) if loss == "trades" else wrongly(net, batch.y)
    attacked = climbed(batch.x, rise)
    with batch_statistics():
        if loss == "trades":
            clean, moved = net(torch.cat([batch.x, attacked])).chunk(2)
            total = F.cross_entropy(clean, batch.y) + 6 * apart(clean, moved).mean()
        else:
            total = F.cross_entropy(net(attacked), batch.y)
    total.backward()
    return gap(got, {k: p.grad for k, p in net.named_parameters() if p.grad is not None})


def maml_gap(place: str = "query", steps: int = 2, loss: str = "cross_entropy", rate: float = 0.3) -> float:
    """A step of MAML, from one that is written out task by task: each attack under the support's statistics."""
    method = small("maml", place=place, loss=loss).model_copy(update={"inner_steps": steps, "inner_rate": rate})
    net, tasks = build(method), meal(method)
    got, _ = stepped(method, net, tasks)
    theta = dict(net.named_parameters())
    total = torch.zeros((), dtype=torch.float64)
    rows = zip(tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y, strict=True)
    for x, y, q, wanted in rows:
        phi: dict[str, Tensor] = dict(theta)
        for k in range(steps):
            seen = x
            if place == "both":
                seen = climbed(x, wrongly(_under(net, phi, x), y), "support", k)
            with batch_statistics():
                slopes = torch.autograd.grad(
                    F.cross_entropy(functional_call(net, phi, (seen,)), y), list(phi.values()), create_graph=True
                )
            phi = {name: p - rate * g for (name, p), g in zip(phi.items(), slopes, strict=True)}
        fixed = _under(net, phi, x)
        attacked = climbed(q, away(fixed, q) if loss == "trades" else wrongly(fixed, wanted))
        live = _under(net, phi, x, live=True)
        if loss == "trades":
            total = total + F.cross_entropy(live(q), wanted) + 6 * apart(live(q), live(attacked)).mean()
        else:
            total = total + F.cross_entropy(live(attacked), wanted)
    slopes = torch.autograd.grad(total / len(tasks.query_y), list(theta.values()))
    return gap(got, dict(zip(theta, slopes, strict=True)))


def _under(net: Network, phi: dict[str, Tensor], support: Tensor, *, live: bool = False) -> Logits:
    """The network under weights and the clean support's statistics under them."""
    params = phi if live else {k: p.detach() for k, p in phi.items()}
    with batch_statistics() as statistics:
        functional_call(net, params, (support,))

    def logits(x: Tensor) -> Tensor:
        with given_statistics(statistics):
            return functional_call(net, params, (x,))

    return logits


class Linear:
    """A classifier of three classes by a fixed linear map of the pixels."""

    coupled = False

    def __init__(self, pixels: int) -> None:
        self.map = torch.randn(pixels, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def __call__(self, x: Tensor) -> Tensor:
        return (x - 0.5).flatten(2) @ self.map

    def select(self, tasks: slice) -> "Linear":
        return self


def images() -> tuple[Tensor, Tensor]:
    """Images (2, 6, 1, 8, 8), some with pixels at the ends of [0, 1], and labels."""
    x = Rng(5, ("images",), np.arange(12).reshape(2, 6)).uniform(1, 8, 8).double()
    return (1.6 * x - 0.3).clamp(0, 1), torch.arange(12).view(2, 6) % 3


def excess(norm: str, eps: float = 0.1) -> float:
    """By how much attacked images leave the ball or [0, 1]."""
    x, y = images()
    made = Adversary(eps=eps, norm=norm, steps=9).perturb(Linear(64), x, y, step_rng())  # type: ignore[arg-type]
    order = {"linf": torch.inf, "l2": 2, "l1": 1}[norm]
    length = (made - x).flatten(2).norm(order, dim=-1).max()  # type: ignore[arg-type]
    return max(float(length) - eps, float(made.max()) - 1, -float(made.min()))


def harm(norm: str = "linf", steps: int = 7) -> float:
    """How much higher the loss of a linear classifier is after the attack than at its random start, at least."""
    x, y = images()
    classifier = Linear(64)

    def losses(at: Tensor) -> Tensor:
        return F.cross_entropy(classifier(at).flatten(0, 1), y.flatten(), reduction="none")

    small_steps = Adversary(eps=0.05, norm=norm, steps=1, step_size=1e-9)  # type: ignore[arg-type]
    start = small_steps.perturb(classifier, x, y, step_rng())
    made = Adversary(eps=0.05, norm=norm, steps=steps).perturb(classifier, x, y, step_rng())  # type: ignore[arg-type]
    return float((losses(made) - losses(start)).min())


def sharing_gap(name: str, norm: str, **adversary: Any) -> float:
    """The gradient of all tasks, from the mean of those of each task by itself."""
    method = small(name, **adversary)
    tasks, net = meal(method), build(method, norm)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    whole, _ = stepped(method, net, tasks)
    parts: list[dict[str, Tensor]] = []
    for t in range(len(tasks.support_y)):
        net.load_state_dict(state)  # type: ignore[arg-type]
        row = slice(t, t + 1)
        support, query = (tasks.support_x[row], tasks.support_y[row]), (tasks.query_x[row], tasks.query_y[row])
        parts.append(stepped(method, net, replace_tasks(tasks, *support, *query))[0])
    return gap({k: torch.stack([p[k] for p in parts]).mean(0) for k in whole}, whole)


def replace_tasks(tasks: Tasks, support_x: Tensor, support_y: Tensor, query_x: Tensor, query_y: Tensor) -> Tasks:
    """Other images of tasks."""
    return replace(tasks, support_x=support_x, support_y=support_y, query_x=query_x, query_y=query_y)


def counted(method: Method) -> tuple[tuple[int, int], ...]:
    """Images forward and backward: through the first convolution, as the step reports, and as the method says."""
    net, forward, backward = learners.build(method), list[int](), list[int]()

    def see(module: torch.nn.Module, args: tuple[Tensor], out: Tensor) -> None:
        forward.append(len(out))
        if out.requires_grad:
            out.register_hook(lambda gradient: backward.append(len(gradient)))

    net.body.get_submodule("block0.conv").register_forward_hook(see)
    with learners.one_by_one():
        stats = method.backward(net, learners.meal(method), step_rng())
    seen = sum(forward), sum(backward)
    return seen, (stats.passes, stats.gradient_passes), (method.passes(), method.gradient_passes())
