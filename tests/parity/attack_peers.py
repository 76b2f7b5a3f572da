"""The published attacks of torchattacks 3.5.1 and foolbox 3.3.4, and what they attack.

Nothing of them is copied: they are imported where they are installed. Both warn on import of SciPy names that have
moved. torchattacks wants modules on images (N, C, H, W) in contiguous memory; its own ensemble runs ten steps, whatever
is asked for, so its four members are put together here.
"""

import copy
import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.attacks.search import Search
from robustmeta.functional.projection import BALLS
from robustmeta.rng import Rng

NAMES = {"linf": "Linf", "l2": "L2"}
RADII = {"plain": {"linf": 1 / 255, "l2": 0.15}, "adversarial": {"linf": 8 / 255, "l2": 0.5}}
"""Where each model is neither broken nor whole."""
TRAINED_WITHIN = 8 / 255
WAY = 10


@cache
def torchattacks() -> ModuleType:
    """The package; ImportError where it is not installed."""
    return _imported("torchattacks")


@cache
def foolbox() -> ModuleType:
    """The package; ImportError where it is not installed."""
    return _imported("foolbox")


def _imported(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)


def contiguous(net: nn.Module) -> nn.Module:
    """A copy in evaluation mode and contiguous memory."""
    return copy.deepcopy(net).to(memory_format=torch.contiguous_format).eval()


def peer_pgd(net: nn.Module, eps: float, steps: int, *, norm: str = "linf", random_start: bool = True) -> Any:
    """PGD with a quarter of eps a step; nothing is added to what is divided by."""
    given = {"eps": eps, "alpha": eps / 4, "steps": steps, "random_start": random_start}
    if norm == "linf":
        return torchattacks().PGD(net, **given)
    return torchattacks().PGDL2(net, **given, eps_for_division=1e-30)


def peer_momentum(net: nn.Module, eps: float, steps: int) -> Any:
    """PGD with momentum 1, from the clean query."""
    return torchattacks().MIFGSM(net, eps=eps, alpha=eps / 4, steps=steps, decay=1.0)


def peer_foolbox(net: nn.Module, eps: float, steps: int, norm: str) -> Callable[[Tensor, Tensor], Tensor]:
    """PGD with a quarter of eps a step, from the clean query."""
    attacks = foolbox().attacks
    kind = {"linf": attacks.LinfProjectedGradientDescentAttack, "l2": attacks.L2ProjectedGradientDescentAttack}[norm]
    attack = kind(rel_stepsize=0.25, steps=steps, random_start=False)
    model = foolbox().PyTorchModel(net, bounds=(0, 1))
    return lambda x, y: attack.run(model, x, foolbox().criteria.Misclassification(y), epsilon=eps)


def peer_members(net: nn.Module, norm: str, eps: float, steps: int, queries: int, targets: int) -> dict[str, Any]:
    """The four attacks of the ensemble; the targets are so many of the likeliest other classes."""
    ta, given = torchattacks(), {"norm": NAMES[norm], "eps": eps, "seed": 0, "n_restarts": 1}
    return {
        "apgd": ta.APGD(net, **given, steps=steps, loss="ce"),
        "apgd_t": ta.APGDT(net, **given, steps=steps, n_classes=targets + 1),
        "fab": ta.FAB(net, **given, steps=steps, multi_targeted=True, n_classes=targets + 1),
        "square": ta.Square(net, **given, n_queries=queries),
    }


def peer_ensemble(net: nn.Module, norm: str, eps: float, steps: int, queries: int, targets: int) -> Any:
    """The four in order, on what the ones before have left."""
    return torchattacks().MultiAttack(list(peer_members(net, norm, eps, steps, queries, targets).values()))


@dataclass
class OneTask:
    """A module as the classifier of any task; ``asked`` gets what it is asked, if given."""

    net: nn.Module
    coupled: bool = False
    asked: list[Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if self.asked is not None:
            self.asked.append(x.detach().flatten(0, 1).clone())
        return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def select(self, tasks: slice) -> "OneTask":
        return self


@dataclass(frozen=True)
class Subjects:
    """Natural images that a model has been trained on, and their classes."""

    x: Tensor
    y: Tensor

    def some(self, count: int) -> "Subjects":
        """As many of each class as can be."""
        order = torch.argsort(self.y, stable=True).view(WAY, -1).T.flatten()[:count]
        return Subjects(self.x[order], self.y[order])


def subjects(data_dir: Path) -> Subjects:
    """All 500 of the CIFAR-10 subset."""
    found = np.load(data_dir / "cifar10_subset.npz")
    return Subjects(
        torch.from_numpy(found["images"]).permute(0, 3, 1, 2).div(255).contiguous(), torch.from_numpy(found["labels"])
    )


def trained(kind: str, seen: Subjects, width: int = 16) -> nn.Module:
    """A conv4 trained for seconds, plainly or on images attacked by PGD; frozen."""
    layers: list[nn.Module] = []
    within = TRAINED_WITHIN if kind == "adversarial" else 0.0
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for i in range(4):
            layers += [nn.Conv2d(3 if i == 0 else width, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
        net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 4, WAY))
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        for _ in range(40 if within else 12):
            for rows in torch.randperm(len(seen.x)).split(50):
                x, y = seen.x[rows], seen.y[rows]
                x = _attacked(net.eval(), x, y, within) if within else x
                optimiser.zero_grad()
                F.cross_entropy(net.train()(x), y).backward()
                optimiser.step()
    return net.eval().requires_grad_(False)


def _attacked(net: nn.Module, x: Tensor, y: Tensor, eps: float) -> Tensor:
    moved = x + eps * (2 * torch.rand_like(x) - 1)
    for _ in range(3):
        leaf = moved.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(leaf), y), leaf)
        moved = BALLS["linf"].within(x, leaf.detach() + 0.6 * eps * gradient.sign(), eps)
    return moved


def ours(attack: Search, net: nn.Module, on: Subjects, eps: float, seed: int = 0) -> Tensor:
    """What our attack makes of them, as the queries of one task."""
    keys = np.arange(len(on.y), dtype=np.uint64)[None]
    return attack.perturb(OneTask(net), on.x[None], on.y[None], eps, Rng(seed, ("parity",), keys))[0]


def standing(net: nn.Module, attacked: Tensor, on: Subjects, norm: str, eps: float) -> Tensor:
    """Which are still right, (N,); all must be within eps and in range."""
    attacked = attacked.detach()
    distance = BALLS[norm].norm(attacked - on.x)
    assert float(distance.max()) <= eps * (1 + 1e-5) + 1e-6
    assert float(attacked.min()) >= 0
    assert float(attacked.max()) <= 1
    with torch.no_grad():
        return net(attacked).argmax(-1) == on.y


def weaker_by(mine: Tensor, other: Tensor) -> tuple[float, float]:
    """By how much our robust accuracy is above the other, and the half width of its paired 95 % interval."""
    gap = mine.double() - other.double()
    return float(gap.mean()), 1.96 * float(gap.std()) / len(gap) ** 0.5


def hold_strength(mine: Tensor, other: Tensor) -> None:
    """Assert that ours is not the weaker one, but for what chance can bring."""
    gap, margin = weaker_by(mine, other)
    assert gap <= margin, (
        f"ours leaves {100 * gap:.1f} points more standing; the paired interval is +-{100 * margin:.1f}"
    )


def hold_trajectory(mine: list[Tensor], other: list[Tensor]) -> None:
    """Assert that two attacks have looked at the same points, one after the other."""
    for step, (a, b) in enumerate(zip(mine, other, strict=True)):
        largest = float((a - b).abs().max())
        assert largest <= 1e-5, f"step {step}: they differ by {largest:.2g}"
