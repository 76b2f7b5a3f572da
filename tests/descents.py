"""Checks of methods that learn through inner steps, which planted faults must turn red."""

import learners
import torch
import torch.nn.functional as F
from torch import Tensor

from robustmeta.config.components import Method
from robustmeta.core import Tasks
from robustmeta.functional import inner_loop
from robustmeta.functional.inner_loop import descend, sgd
from robustmeta.registry import resolve
from robustmeta.rng import Rng


def pass_gap(method: Method, tasks: int = 3) -> float:
    """The largest difference between the gradients of all tasks in one pass and one by one, in float64."""
    found = []
    for batched in (True, False):
        net = learners.build(method).double()
        with inner_loop.forced(batched):
            method.backward(net, learners.made_tasks(tasks, dtype=torch.float64), Rng(0, ("train",), [0]))
        found.append([p.grad for p in net.parameters()])
    return max(float((a - b).abs().max()) for a, b in zip(*found, strict=True))  # type: ignore[operator]


def thread_gap(method: Method, tasks: int = 8) -> float:
    """The largest difference between the gradients of tasks one by one in one thread and in two, in float64."""
    found, before = [], torch.get_num_threads()
    for threads in (1, 2):
        net = learners.build(method).double()
        params = list(net.parameters())
        torch.set_num_threads(threads)
        try:
            with inner_loop.forced(batched=False):
                method.backward(net, learners.made_tasks(tasks, dtype=torch.float64), Rng(0, ("train",), [0]))
        finally:
            torch.set_num_threads(before)
        found.append([torch.zeros_like(p) if p.grad is None else p.grad for p in params])
    return max(float((a - b).abs().max()) for a, b in zip(*found, strict=True))


def hessian_gap(rate: float = 0.4) -> float:
    """|MAML − (FOMAML − rate · H · FOMAML)| / |MAML − FOMAML| for one step, with H from the network written out.

    H v is the finite difference of the support's gradient along v, task by task.
    """
    first, second = (
        resolve("methods", name)(train=learners.DIET, inner_rate=rate)  # type: ignore[operator]
        for name in ("fomaml", "maml")
    )
    tasks, rng = learners.made_tasks(dtype=torch.float64), Rng(0, ("train",), [0])

    def gradient(method: Method, some: Tasks) -> Tensor:
        net = learners.build(method, "batch").double()
        method.backward(net, some, rng)
        return torch.cat([p.grad.flatten() for p in net.parameters()])  # type: ignore[union-attr]

    expected: list[Tensor] = []
    for t in range(len(tasks.support_y)):
        row = slice(t, t + 1)
        one = Tasks(tasks.support_x[row], tasks.support_y[row], tasks.query_x[row], tasks.query_y[row], tasks.way)
        v = gradient(first, one)
        net = learners.build(first, "batch").double()
        parameters, slopes, h = list(net.parameters()), [], 1e-6 / float(v.norm())
        pieces = [d.view_as(p) for d, p in zip(v.split([p.numel() for p in parameters]), parameters, strict=True)]
        for step in (h, -2 * h):  # up, then down
            with torch.no_grad():
                for p, d in zip(parameters, pieces, strict=True):
                    p += step * d
            loss = F.cross_entropy(learners.plain_network(net, one.support_x[0]), one.support_y[0])
            slopes.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
        expected.append(v - rate * (slopes[0] - slopes[1]) / (2 * h))
    mean, full = torch.stack(expected).mean(0), gradient(second, tasks)
    return float((full - mean).norm() / (full - gradient(first, tasks)).norm())


def regression_gap(rate: float = 0.1) -> float:
    """The largest difference of a meta-gradient from its closed form, for one inner step of linear regression.

    L(w) = ‖X w − y‖² / 2n, so that φ = w − rate · Xᵀ(X w − y) / n and ∇_w L'(φ) = (I − rate · XᵀX / n) ∇_φ L'(φ).
    """
    generator = torch.Generator().manual_seed(0)
    x, other = (torch.randn(3, n, 4, generator=generator, dtype=torch.float64) for n in (6, 5))
    y, wanted = (torch.randn(3, n, generator=generator, dtype=torch.float64) for n in (6, 5))
    w = torch.randn(4, generator=generator, dtype=torch.float64, requires_grad=True)

    def loss(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return ((x @ w[..., None]).squeeze(-1) - y).square().mean(-1) / 2

    phi, _ = descend(lambda p, k: loss(p["w"], x, y), {"w": w.expand(3, 4)}, sgd(rate), None, 1, order=2)
    loss(phi["w"], other, wanted).sum().backward()
    expected = torch.zeros(4, dtype=torch.float64)
    with torch.no_grad():
        for t in range(3):
            after = w - rate * x[t].T @ (x[t] @ w - y[t]) / 6
            slope = other[t].T @ (other[t] @ after - wanted[t]) / 5
            expected += slope - rate * x[t].T @ (x[t] @ slope) / 6
    assert w.grad is not None
    return float((w.grad - expected).abs().max())
