"""Checks of an attack."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robustmeta.config.components import Attack
from robustmeta.core import to_float
from robustmeta.corruptions.samples import scenes
from robustmeta.rng import Rng
from robustmeta.testing.finding import Finding, Wrong, examine
from robustmeta.testing.rules import Norm, in_ball, in_range, keyed, untouched

EPS: Mapping[Norm, float] = {"linf": 0.05, "l2": 0.5, "l1": 5.0, "patch": 0.3, "spatial": 1.0}
TASKS, QUERIES, WAY, SIZE = 2, 6, 4, 12
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


def _norm(siege: Siege) -> str:
    return in_ball(siege.perturb(siege.eps) - siege.x, siege.norm, siege.eps)


def _range(siege: Siege) -> str:
    return in_range(siege.perturb(1.0))


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
    return keyed(lambda: [siege.perturb(siege.eps)], "images")


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
    return untouched(siege.classifier.net, [siege.x], lambda: [siege.perturb(siege.eps)])


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
