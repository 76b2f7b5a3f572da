"""Closed forms of attacks on linear models, for tests and the faults that must turn them red."""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from shift_references import Linear
from torch import Tensor

from robustmeta.attacks.apgd import APGD
from robustmeta.attacks.apgd_t import APGDT
from robustmeta.attacks.autoattack import AutoAttack
from robustmeta.attacks.carlini_wagner import CarliniWagner
from robustmeta.attacks.deepfool import DeepFool
from robustmeta.attacks.fab import FAB
from robustmeta.attacks.fgsm import FGSM
from robustmeta.attacks.noise import Noise
from robustmeta.attacks.patch import Patch
from robustmeta.attacks.pgd import PGD
from robustmeta.attacks.search import Search
from robustmeta.attacks.spatial import Spatial
from robustmeta.attacks.square import Square
from robustmeta.core import Classifier
from robustmeta.rng import Rng
from robustmeta.testing.attacks import SmallClassifier

SHAPE = (2, 3, 1, 4, 4)
KEYS = np.arange(6, dtype=np.uint64).reshape(2, 3)
FAR = 10.0
ATTACKS: list[Search] = [
    *(FGSM(), PGD(steps=4, restarts=2), PGD(norm="l1", steps=4), Noise(draws=2)),
    *(APGD(steps=8), APGD(norm="l2", loss="dlr", steps=8), APGDT(steps=4), AutoAttack(steps=4, queries=10)),
    *(FAB(steps=4, restarts=2), FAB(norm="l2", steps=4), DeepFool(steps=4), CarliniWagner(steps=5, searches=2)),
    *(Square(queries=15), Square(norm="l2", queries=15), Spatial(turns=3, shifts=1), Patch(steps=4)),
]


def rng(seed: int = 0) -> Rng:
    return Rng(seed, ("attack",), KEYS)


def middle() -> Tensor:
    """Queries far from the ends of [0, 1]."""
    return 0.4 + 0.2 * rng().uniform(*SHAPE[2:])


def linear(way: int = 2, ahead: float = 0.0) -> Linear:
    """A linear model; class 0 is so far ``ahead``."""
    return Linear(Rng(0, ("w",), range(16)).normal(way), torch.tensor([ahead] + [0.0] * (way - 1)))


def best_step(gradient: Tensor, norm: str, eps: float) -> Tensor:
    """The step in the ball that climbs a linear function most."""
    if norm == "linf":
        return eps * gradient.sign()
    if norm == "l2":
        return eps * gradient / gradient.norm()
    largest = gradient.abs() == gradient.abs().max()
    return eps * gradient.sign() * largest


def hold_optimum(attack: Search, eps: float, tolerance: float) -> None:
    """Assert that what is far from falling is moved as far up the loss as the ball allows."""
    x, model = middle(), linear(ahead=FAR)
    y = torch.zeros(SHAPE[:2], dtype=torch.long)
    moved = attack.perturb(model, x, y, eps, rng()) - x
    want = best_step((model.weight[:, 1] - model.weight[:, 0]).view(SHAPE[2:]), attack.model_dump()["norm"], eps)
    torch.testing.assert_close(moved, want.expand_as(moved), atol=tolerance, rtol=0)


def distances(model: Linear, x: Tensor, norm: str) -> Tensor:
    """How far each query is from the nearest other class: the least margin / ‖w_k − w_y‖ in the dual norm."""
    z = model(x)
    y = z.argmax(-1)
    w = model.weight.T
    found = torch.full(y.shape, torch.inf)
    for k in range(len(w)):
        normal = w[k] - w[y]
        length = normal.norm(dim=-1) if norm == "l2" else normal.abs().sum(-1)
        margin = z.gather(-1, y[..., None])[..., 0] - z[..., k]
        found = torch.where(y == k, found, torch.minimum(found, margin / length))
    return found


def hold_distance(attack: Search, beyond: float, way: int = 2) -> None:
    """Assert that it finds the nearest border, no further than ``beyond`` times its distance, and nothing nearer."""
    model, norm = linear(way), attack.model_dump()["norm"]
    x = middle()
    y = model(x).argmax(-1)
    for q in range(SHAPE[1]):
        part = (slice(0, 1), slice(q, q + 1))
        distance = float(distances(model, x, norm)[0, q])
        for scale, falls in ((beyond, True), (0.98, False)):
            out = attack.perturb(model, x[part], y[part], scale * distance, Rng(0, ("attack",), KEYS[part]))
            assert bool((model(out).argmax(-1) != y[part]).all()) == falls, f"{scale} of the distance"


@dataclass
class Told:
    """A classifier that keeps what it is asked, a list of sets of queries."""

    inner: Classifier
    asked: list[Tensor] = field(default_factory=list)

    @property
    def coupled(self) -> bool:
        return self.inner.coupled

    def __call__(self, x: Tensor) -> Tensor:
        self.asked.extend(x.detach().clone().unbind())
        return self.inner(x)

    def select(self, tasks: slice) -> "Told":
        return Told(self.inner.select(tasks), self.asked)


def pictures(way: int = 4, coupled: bool = False) -> tuple[SmallClassifier, Tensor, Tensor]:
    """A small smooth classifier and queries that it gets right."""
    model = SmallClassifier(coupled)
    x = Rng(0, ("x",), KEYS).uniform(3, 12, 12)
    with torch.no_grad():
        return model, x, model(x).argmax(-1)


def hold_worst(attack: Search, eps: float) -> None:
    """Assert that the best set of a coupled classifier is returned among those that it has seen within eps."""
    model, x, y = pictures(coupled=True)
    told = Told(model)
    with torch.no_grad():
        out = attack.perturb(told, x, y, eps, rng())
        for t in range(len(x)):
            same = [s for s in told.asked if s.shape == out[t].shape and torch.equal(s, out[t])]
            assert same, "a set that the classifier has not seen"
            inside = [_badness(model, s, y[t]) for s in told.asked if _within(s, x[t], eps)]
            got = _badness(model, out[t], y[t])
            assert got[0] == max(wrong for wrong, _ in inside), "a worse set has been seen"
            assert got[1] >= max(loss for wrong, loss in inside if wrong == got[0]) - 1e-5, "a worse set has been seen"


def _badness(model: Classifier, x: Tensor, y: Tensor) -> tuple[int, float]:
    """How many are wrong, and the summed cross-entropy."""
    logits = model(x[None])[0]
    return int((logits.argmax(-1) != y).sum()), float(F.cross_entropy(logits, y, reduction="sum"))


def _within(seen: Tensor, x: Tensor, eps: float) -> bool:
    return bool((seen - x).abs().max() <= eps + 1e-6)
