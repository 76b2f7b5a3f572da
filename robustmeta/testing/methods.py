"""Checks of a method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from robustmeta.config.components import Method
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.rng import Rng
from robustmeta.testing.finding import Finding, Wrong, examine
from robustmeta.testing.learning import CLASSES, SIZE, SmallBackbone, Watch, images_seen, logits, made_tasks

STEPS, FEW = 16, 4


def check_method(method: Method) -> list[Finding]:
    """Check what every method must keep to, on a small backbone and made images; a diet of few images is faster.

    If a training step does not work at all, that is the only finding. One that trains on nothing is checked as it
    adapts.
    """
    checks = CHECKS if method.diet().images else {name: CHECKS[name] for name in ("adapts", "traits")}
    return examine(Apprentice(method), checks)


@dataclass(frozen=True, eq=False)
class Apprentice:
    """A method and what it takes to try it."""

    method: Method

    def build(self) -> nn.Module:
        """Its network for 16 x 16 gray images of five classes, always with the same weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.method.build(SmallBackbone(), SIZE, 1, CLASSES).eval()

    def meal(self) -> Tasks | Batch:
        """What one step eats."""
        d = self.method.diet()
        if not d.batch:
            return made_tasks(d.tasks, d.way, d.shot, d.query)
        tasks = made_tasks(1, CLASSES, -(-d.batch // CLASSES), 0)
        return Batch(tasks.support_x[0, : d.batch], tasks.support_y[0, : d.batch])

    def step(self, net: nn.Module, number: int = 0) -> StepStats:
        """One call of ``backward``, always on the same images."""
        return self.method.backward(net, self.meal(), Rng(0, ("train",), [number]), number / STEPS)

    def way(self) -> int:
        """One that the trained network serves."""
        return self.method.diet().way if self.method.traits.fixed_way else 3


def _runs(one: Apprentice) -> str:
    net = one.build()
    stats = one.step(net)
    bad = [k for k, p in net.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    if bad or not any(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters()):
        raise Wrong(f"backward must fill .grad with finite numbers; not so: {', '.join(bad[:3]) or 'all are zero'}")
    return f"loss {stats.loss:.4g}"


def _same(one: Apprentice) -> str:
    first, second = one.build(), one.build()
    state = torch.get_rng_state()
    losses = one.step(first), one.step(second)
    grads = [(p.grad, q.grad) for p, q in zip(first.parameters(), second.parameters(), strict=True)]
    if losses[0] != losses[1] or any(p is not None and q is not None and not torch.equal(p, q) for p, q in grads):
        raise Wrong("two steps on the same images with the same keys differ; draw from rng alone")
    if not torch.equal(torch.get_rng_state(), state):
        raise Wrong("backward draws from torch's global generator; draw from rng")
    return "same keys, same gradients"


def _weights(one: Apprentice) -> str:
    net = one.build()
    before = [p.detach().clone() for p in net.parameters()]
    one.step(net)
    if any(not torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True)):
        raise Wrong("backward changes weights; fill .grad and leave the step to the optimiser")
    return "backward leaves the weights to the optimiser"


def _passes(one: Apprentice) -> str:
    net, said = one.build(), one.method.passes()
    stats: list[StepStats] = []
    got = images_seen(net, lambda: stats.append(one.step(net)))
    if not got == said == stats[0].passes:
        raise Wrong(f"passes() says {said} images a step, StepStats {stats[0].passes}; {got} pass through the backbone")
    back = one.method.gradient_passes()
    if back != stats[0].gradient_passes:
        raise Wrong(f"gradient_passes() says {back} images a step, StepStats {stats[0].gradient_passes}")
    return f"{said} images a step forward, {back} backward"


def _learns(one: Apprentice) -> str:
    net = one.build()
    optimiser = one.method.optimiser(net)
    losses: list[float] = []
    for number in range(STEPS):
        optimiser.zero_grad()
        losses.append(one.step(net, number).loss)
        optimiser.step()
    first, last = sum(losses[:FEW]) / FEW, sum(losses[-FEW:]) / FEW
    if not last < first:
        raise Wrong(f"the loss on the same images rises from {first:.4g} to {last:.4g} in {STEPS} steps")
    return f"loss {first:.4g} -> {last:.4g} in {STEPS} steps on the same images"


def _adapts(one: Apprentice) -> str:
    net, way = one.build(), one.way()
    watch = Watch(net)
    got = logits(one.method.adaptation(), net, made_tasks(2, way, 2, 2))
    watch.verify()
    if got.shape != (2, 2 * way, way) or not got.isfinite().all():
        raise Wrong(f"{one.method.adaptation().name} gives logits {tuple(got.shape)}, not finite (2, {2 * way}, {way})")
    return f"{one.method.adaptation().name} serves {way}-way tasks"


def _traits(one: Apprentice) -> str:
    net, way, adaptation = one.build(), one.way(), one.method.adaptation()
    tasks, claimed = made_tasks(2, way, 2, 2), one.method.traits
    plain = logits(adaptation, net, tasks)
    names = torch.arange(way).roll(1)
    renamed = logits(adaptation, net, replace(tasks, support_y=names[tasks.support_y]))
    order = torch.arange(2 * way).flip(0)
    moved = replace(tasks, support_x=tasks.support_x[:, order], support_y=tasks.support_y[:, order])
    gaps = {
        "equivariant": float((renamed - plain[..., names.argsort()]).abs().max()),
        "order_free": float((logits(adaptation, net, moved) - plain).abs().max()),
    }
    wrong = {k: gap for k, gap in gaps.items() if getattr(claimed, k) and gap > 1e-2}
    if wrong:
        raise Wrong(f"traits claim {' and '.join(wrong)}; logits differ by {max(wrong.values()):.3g}")
    return ", ".join(k for k in gaps if getattr(claimed, k)) or "claims neither equivariance nor freedom of order"


CHECKS: Mapping[str, Callable[[Apprentice], str]] = {
    "runs": _runs,
    "same key": _same,
    "weights": _weights,
    "passes": _passes,
    "learns": _learns,
    "adapts": _adapts,
    "traits": _traits,
}
"""Every check by name; each returns what it measured or raises."""
