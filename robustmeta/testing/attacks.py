"""Checks of an attack."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robustmeta.config.components import Attack
from robustmeta.core import copy_state, to_float
from robustmeta.corruptions.samples import scenes
from robustmeta.rng import Rng
from robustmeta.testing.finding import Finding, Wrong, examine

Norm = Literal["linf", "l2", "l1", "patch", "spatial"]
EPS: Mapping[Norm, float] = {"linf": 0.05, "l2": 0.5, "l1": 5.0, "patch": 0.3, "spatial": 1.0}
TASKS, QUERIES, WAY, SIZE = 2, 6, 4, 12
SLACK = 1e-6
ALONE = 1e-4
"""What a query may differ by when it is attacked alone: sums of another length are rounded in another way."""
HARMLESS = 1e-6
"""Part of eps at which nothing falls, so that an attack makes all passes that it ever makes."""


def check_attack(
    attack: Attack, norm: Norm | None = None, eps: float | None = None, *, coupled: bool = False
) -> list[Finding]:
    """Check what every attack must keep to, on a small smooth classifier (``coupled``: one that centres a task).

    Unless they are given, the norm is the attack's field ``norm``, L∞ where it has none, and eps one of that norm. If
    the attack does not run at all, that is the only finding.
    """
    chosen = norm or norm_of(attack)
    return examine(Siege(attack, chosen, EPS[chosen] if eps is None else eps, coupled), CHECKS)


def norm_of(attack: Attack) -> Norm:
    """Its field ``norm``, L∞ where it has none."""
    return getattr(attack, "norm", "linf")


@dataclass(eq=False)
class SmallClassifier:
    """A two-layer network with fixed weights that counts the images it sees; coupled, it centres those of a task."""

    coupled: bool = False
    seen: int = 0
    net: nn.Sequential = field(default_factory=lambda: _network())

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q way"]:
        """Logits."""
        self.seen += x.shape[0] * x.shape[1]
        z = self.net(x.flatten(2))
        return z - z.mean(1, keepdim=True) if self.coupled else z

    def select(self, tasks: slice) -> "SmallClassifier":
        """Itself: all tasks share its weights."""
        return self


def _network() -> nn.Sequential:
    inputs, hidden = 3 * SIZE**2, 16
    draws = Rng(0, ("small", "classifier"), range(hidden))
    net = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, WAY))
    weights = [draws.normal(inputs) / inputs**0.5, torch.zeros(hidden), draws.normal(WAY).T, torch.zeros(WAY)]
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), weights, strict=True):
            parameter.copy_(value)
    return net


@dataclass(frozen=True, eq=False)
class Siege:
    """An attack with a classifier and queries to try it on."""

    attack: Attack
    norm: Norm
    eps: float
    coupled: bool
    classifier: SmallClassifier = field(init=False)
    x: Tensor = field(init=False)
    y: Tensor = field(init=False)

    def __post_init__(self) -> None:
        classifier = SmallClassifier(self.coupled)
        x = to_float(scenes(TASKS * QUERIES, SIZE)).unflatten(0, (TASKS, QUERIES))
        with torch.no_grad():
            y = classifier(x).argmax(-1)
        y[:, 0] = (y[:, 0] + 1) % WAY  # one query of each task is wrong from the start
        for name, value in {"classifier": classifier, "x": x, "y": y}.items():
            object.__setattr__(self, name, value)

    def perturb(self, eps: float, some: tuple[slice, slice] = (slice(None), slice(None))) -> Tensor:
        """What the attack makes of the queries, or of some of them alone."""
        keys = np.arange(TASKS * QUERIES, dtype=np.uint64).reshape(TASKS, QUERIES)
        return self.attack.perturb(self.classifier, self.x[some], self.y[some], eps, Rng(0, ("check",), keys[some]))

    def loss(self, x: Tensor) -> float:
        """Mean cross-entropy."""
        with torch.no_grad():
            return float(F.cross_entropy(self.classifier(x).flatten(0, 1), self.y.flatten()))


def _runs(siege: Siege) -> str:
    got = siege.perturb(siege.eps)
    if got.shape != siege.x.shape or got.dtype != siege.x.dtype or not torch.isfinite(got).all():
        want = f"finite {siege.x.dtype} {tuple(siege.x.shape)}"
        raise Wrong(f"expected {want}, got {got.dtype} {tuple(got.shape)}")
    return "shape and type kept, finite"


def _extent(delta: Tensor) -> Tensor:
    """The side of the square that holds all changed pixels, as a part of the image's; rounding to pixels is free."""
    changed = (delta != 0).any(-3)
    sides = [_length(changed.any(dim)) for dim in (-1, -2)]
    return ((torch.stack(sides).amax(0) - 0.5) / min(delta.shape[-2:])).clamp(min=0)


def _length(marks: Tensor) -> Tensor:
    """From the first to the last that is marked."""
    along = torch.arange(1, marks.shape[-1] + 1) * marks
    first = along.where(marks, marks.shape[-1] + 1).amin(-1)
    return ((along.amax(-1) - first + 1) * marks.any(-1)).float()


DISTANCES: Mapping[Norm, Callable[[Tensor], Tensor]] = {
    "linf": lambda d: d.abs().flatten(-3).amax(-1),
    "l2": lambda d: d.flatten(-3).norm(dim=-1),
    "l1": lambda d: d.flatten(-3).abs().sum(-1),
    "patch": _extent,
    "spatial": lambda d: d.new_zeros(()),
}
"""How far a change (..., C, H, W) goes. Nothing measures how far an image was turned or shifted."""


def _norm(siege: Siege) -> str:
    largest = float(DISTANCES[siege.norm](siege.perturb(siege.eps) - siege.x).max())
    if largest > siege.eps * (1 + SLACK) + SLACK:
        raise Wrong(f"it leaves the {siege.norm} ball: {largest:.6g} > eps = {siege.eps:.6g}")
    return f"largest {siege.norm} distance {largest:.4g} of {siege.eps:.4g}"


def _range(siege: Siege) -> str:
    got = siege.perturb(1.0)
    if got.min() < 0 or got.max() > 1:
        raise Wrong(f"at eps 1, expected values in [0, 1], got [{float(got.min()):.4g}, {float(got.max()):.4g}]")
    return "stays in [0, 1] at eps 1"


def _loss(siege: Siege) -> str:
    before, after = siege.loss(siege.x), siege.loss(siege.perturb(siege.eps))
    if after <= before:
        raise Wrong(f"the loss falls from {before:.4g} to {after:.4g}; an attack climbs it")
    return f"loss {before:.4g} -> {after:.4g}"


def _zero(siege: Siege) -> str:
    if not torch.equal(siege.perturb(0.0), siege.x):
        raise Wrong("at eps 0 the queries change")
    return "eps 0 changes nothing"


def _same_key(siege: Siege) -> str:
    before = torch.get_rng_state()
    if not torch.equal(siege.perturb(siege.eps), siege.perturb(siege.eps)):
        raise Wrong("two calls with the same keys differ; draw from rng alone")
    if not torch.equal(torch.get_rng_state(), before):
        raise Wrong("it draws from torch's global generator; draw from rng")
    return "same keys, same images"


def _alone(siege: Siege) -> str:
    if siege.coupled:
        return "the queries of a task are attacked together"
    whole, worst = siege.perturb(siege.eps), 0.0
    for query in range(1, QUERIES, 2):
        some = (slice(1, 2), slice(query, query + 1))
        worst = max(worst, float((siege.perturb(siege.eps, some) - whole[some]).abs().max()))
    if worst > ALONE:
        raise Wrong(f"a query attacked alone differs by {worst:.3g}; it must not depend on the others")
    return "a query attacked alone is the same"


def _untouched(siege: Siege) -> str:
    net, x = siege.classifier.net, siege.x.clone()
    state = copy_state(net)
    siege.perturb(siege.eps)
    if any(not torch.equal(v, state[k]) for k, v in net.state_dict().items()):
        raise Wrong("it changes the network")
    if any(p.grad is not None for p in net.parameters()):
        raise Wrong("it leaves gradients in the network; ask torch.autograd.grad for those of x alone")
    if not torch.equal(siege.x, x):
        raise Wrong("it writes into its input")
    return "network, its gradients and the input"


def _passes(siege: Siege) -> str:
    most = 0.0
    for eps in (siege.eps, HARMLESS * siege.eps):
        siege.classifier.seen = 0
        siege.perturb(eps)
        most = max(most, siege.classifier.seen / siege.y.numel())
    allowed = siege.attack.passes(WAY)
    if most > allowed:
        raise Wrong(f"passes({WAY}) says {allowed} forward passes a query image at most; it makes {most:g}")
    return f"{most:g} forward passes a query image of at most {allowed}"


CHECKS: Mapping[str, Callable[[Siege], str]] = {
    "runs": _runs,
    "norm": _norm,
    "range": _range,
    "loss": _loss,
    "eps 0": _zero,
    "same key": _same_key,
    "alone": _alone,
    "nothing else touched": _untouched,
    "passes": _passes,
}
"""Every check by name; each returns what it measured or raises."""
