"""Checks of an attack on supports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from robustmeta.config.components import SupportAttack
from robustmeta.core import Held, to_float
from robustmeta.corruptions.samples import scenes
from robustmeta.functional.inner_loop import task_losses
from robustmeta.functional.prototypes import negative_squared_distances, prototypes
from robustmeta.rng import Rng
from robustmeta.support_attacks.seed_loss import relearn
from robustmeta.testing.attacks import EPS
from robustmeta.testing.finding import Finding, Wrong, examine
from robustmeta.testing.rules import Norm, in_ball, in_range, keyed, untouched

TASKS, WAY, SHOT, SEEDS, SIZE = 2, 3, 2, 3, 8
ALONE = 1e-4
"""What a task may differ by when it is attacked alone."""
SHARE = 0.5
"""The eps of attacks on labels."""


def check_support_attack(attack: SupportAttack, eps: float | None = None) -> list[Finding]:
    """Check what every attack on supports must keep to, on class means of a small smooth embedding.

    Its field ``norm`` names the norm, L∞ where it has none. If it does not run at all, that is the only finding.
    """
    norm: Norm = getattr(attack, "norm", "linf")
    own = SHARE if attack.relabels else EPS[norm]
    return examine(Trial(attack, norm, own if eps is None else eps), CHECKS)


@dataclass(eq=False)
class SmallVictim:
    """Class means on two fixed layers; counts adaptations and queries, each by task."""

    tasks: int = TASKS
    way: int = WAY
    net: nn.Sequential = field(default_factory=lambda: _network())
    spent: list[int] = field(default_factory=lambda: [0, 0])

    def __call__(self, support_x: Float[Tensor, "T S C H W"], support_y: Int[Tensor, "T S"]) -> "Means":
        """Adapt."""
        self.spent[0] += len(support_x)
        centres, _ = prototypes(self.net(support_x.flatten(2)), support_y, self.way)
        return Means(self, centres)

    def select(self, tasks: slice | NDArray[np.int64]) -> "SmallVictim":
        """The same before some of the tasks."""
        return SmallVictim(len(np.arange(self.tasks)[tasks]), self.way, self.net, self.spent)

    def hold(self, support_x: Float[Tensor, "S C H W"], seed_x: Float[Tensor, "R C H W"]) -> Held:
        """The first task while its images stay."""
        return partial(relearn, self, support_x, seed_x)


@dataclass(eq=False)
class Means:
    """Logits by the distance to the means of T tasks."""

    victim: SmallVictim
    centres: Float[Tensor, "T way D"]
    coupled: bool = False

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q way"]:
        """Logits."""
        self.victim.spent[1] += x.shape[0] * x.shape[1]
        return negative_squared_distances(self.victim.net(x.flatten(2)), self.centres)

    def select(self, tasks: slice) -> "Means":
        """Those of some of the tasks."""
        return Means(self.victim, self.centres[tasks])


def _network() -> nn.Sequential:
    inputs, hidden = 3 * SIZE**2, 12
    draws = Rng(0, ("small", "victim"), range(hidden))
    net = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh())
    with torch.no_grad():
        for parameter, value in zip(
            net.parameters(), [draws.normal(inputs) / inputs**0.5, draws.normal(1)[:, 0]], strict=True
        ):
            parameter.copy_(value)
    return net


@dataclass(frozen=True, eq=False)
class Trial:
    """An attack with tasks to try it on."""

    attack: SupportAttack
    norm: Norm
    eps: float
    victim: SmallVictim = field(default_factory=SmallVictim)
    support: tuple[Tensor, Tensor] = field(default_factory=lambda: _images(0, SHOT))
    seed: tuple[Tensor, Tensor] = field(default_factory=lambda: _images(1, SEEDS))

    def perturb(self, eps: float, tasks: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """What the attack makes of the supports of some tasks."""
        keys = np.arange(TASKS * WAY * SHOT, dtype=np.uint64).reshape(TASKS, -1)[tasks]
        given = [(x[tasks], y[tasks]) for x, y in (self.support, self.seed)]
        return self.attack.perturb(self.victim.select(tasks), given[0], given[1], eps, Rng(0, ("check",), keys))

    def losses(self, support: tuple[Tensor, Tensor]) -> Tensor:
        """The mean loss of each task's seeds."""
        with torch.no_grad():
            return task_losses(self.victim(*support)(self.seed[0]), self.seed[1])


def _images(part: int, each: int) -> tuple[Tensor, Tensor]:
    """Images of classes that differ in brightness, (T, way · each, C, H, W), and their labels."""
    n = TASKS * WAY * each
    y = torch.arange(WAY).repeat_interleave(each).expand(TASKS, -1)
    drawn = to_float(scenes(n * (part + 1), SIZE)[-n:]).unflatten(0, (TASKS, WAY * each))
    return (0.7 * drawn + 0.1 * y[..., None, None, None]).contiguous(), y.contiguous()


def _runs(trial: Trial) -> str:
    (x, y), (was, labels) = trial.perturb(trial.eps), trial.support
    if x.shape != was.shape or x.dtype != was.dtype or not torch.isfinite(x).all():
        raise Wrong(f"expected finite {was.dtype} {tuple(was.shape)}, got {x.dtype} {tuple(x.shape)}")
    if y.shape != labels.shape or y.dtype != labels.dtype or not 0 <= int(y.min()) <= int(y.max()) < WAY:
        raise Wrong(
            f"expected labels 0..{WAY - 1}, {labels.dtype} {tuple(labels.shape)}, got {y.dtype} {tuple(y.shape)}"
        )
    return "shapes and types kept, finite"


def _norm(trial: Trial) -> str:
    delta = trial.perturb(trial.eps)[0] - trial.support[0]
    if not trial.attack.relabels:
        return in_ball(delta, trial.norm, trial.eps)
    if (delta != 0).any():
        raise Wrong("it relabels, and changes pixels too")
    return "no pixel changes"


def _labels(trial: Trial) -> str:
    flipped, allowed = (trial.perturb(trial.eps)[1] != trial.support[1]).sum(1), 0
    if trial.attack.relabels:
        allowed = max(1, round(trial.eps * WAY * SHOT))
    if int(flipped.max()) > allowed:
        raise Wrong(f"it changes {int(flipped.max())} labels of a task; {allowed} may change")
    return f"{int(flipped.max())} labels of a task change of {allowed} that may"


def _fraction(trial: Trial) -> str:
    fraction = float(dict(trial.attack).get("fraction", 1.0))
    allowed = max(1, round(fraction * WAY * SHOT))
    changed = int((trial.perturb(trial.eps)[0] != trial.support[0]).flatten(2).any(-1).sum(1).max())
    if changed > allowed:
        raise Wrong(f"it changes {changed} images of a task; {allowed} may change")
    return f"{changed} images of a task change of {allowed} that may"


def _range(trial: Trial) -> str:
    return in_range(trial.perturb(1.0)[0])


def _loss(trial: Trial) -> str:
    before, after = trial.losses(trial.support), trial.losses(trial.perturb(trial.eps))
    text = f"mean seed loss {float(before.mean()):.4g} -> {float(after.mean()):.4g}"
    if trial.attack.sees and (after < before - 1e-6).any():
        raise Wrong(f"{text}; an attack that follows its gradient must not leave a task below where it was")
    return text


def _zero(trial: Trial) -> str:
    if not all(torch.equal(a, b) for a, b in zip(trial.perturb(0.0), trial.support, strict=True)):
        raise Wrong("at eps 0 the support changes")
    return "eps 0 changes nothing"


def _same_key(trial: Trial) -> str:
    return keyed(lambda: trial.perturb(trial.eps), "support")


def _alone(trial: Trial) -> str:
    whole, worst = trial.perturb(trial.eps), 0.0
    for t in range(TASKS):
        alone = trial.perturb(trial.eps, slice(t, t + 1))
        worst = max(worst, *(float((a[0] - b[t]).abs().max()) for a, b in zip(alone, whole, strict=True)))
    if worst > ALONE:
        raise Wrong(f"a task attacked alone differs by {worst:.3g}; it must not depend on the others")
    return "a task attacked alone is the same"


def _untouched(trial: Trial) -> str:
    return untouched(trial.victim.net, [*trial.support, *trial.seed], lambda: trial.perturb(trial.eps))


def _passes(trial: Trial) -> str:
    trial.victim.spent[:] = [0, 0]
    trial.perturb(trial.eps)
    adapts, asked = (spent / TASKS for spent in trial.victim.spent)
    most = trial.attack.runs(WAY * SHOT, WAY * SEEDS, WAY, trial.eps)
    if adapts > most[0] or asked > most[1]:
        raise Wrong(
            f"runs() says {most[0]} adaptations and {most[1]} queries a task; it makes {adapts:g} and {asked:g}"
        )
    return f"{adapts:g} adaptations and {asked:g} queries a task of at most {most[0]} and {most[1]}"


CHECKS: Mapping[str, Callable[[Trial], str]] = {
    "runs": _runs,
    "norm": _norm,
    "labels": _labels,
    "fraction": _fraction,
    "range": _range,
    "loss": _loss,
    "eps 0": _zero,
    "same key": _same_key,
    "alone": _alone,
    "nothing else touched": _untouched,
    "passes": _passes,
}
"""Every check by name; each returns what it measured or raises."""
