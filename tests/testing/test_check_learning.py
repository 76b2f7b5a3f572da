"""The checks of methods and adaptations: what is built in passes, and each kind of fault is found."""

from typing import ClassVar

import learners
import pytest
import torch
from torch import Tensor, nn

from robustmeta.adaptations.prototypes import Prototypes
from robustmeta.core import Batch, Classifier, Head, StepStats, Tasks, Traits
from robustmeta.methods.protonet import ProtoNet
from robustmeta.registry import builtin, resolve
from robustmeta.rng import Rng
from robustmeta.testing import check_adaptation, check_method

METHODS, ADAPTATIONS = sorted(builtin("methods")), sorted(builtin("adaptations"))
KINDS = ("lstm", "maml", "protonet", "r2d2", "supervised")
"""One of each family; the contracts look at all of them in every run."""
DIET = {"way": 3, "shot": 2, "query": 2, "tasks": 2}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in KINDS)) for n in METHODS])
def test_built_in_methods_pass(name: str) -> None:
    assert [f for f in check_method(learners.small(name)) if not f.passed] == []


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in learners.FEW_STEPS)) for n in ADAPTATIONS]
)
def test_built_in_adaptations_pass(name: str) -> None:
    assert [f for f in check_adaptation(resolve("adaptations", name)()) if not f.passed] == []  # type: ignore[operator]


@pytest.mark.parametrize("name", sorted(learners.FEW_STEPS))
def test_those_of_many_steps_pass_with_few(name: str) -> None:
    made = resolve("adaptations", name)(**learners.FEW_STEPS[name])  # type: ignore[operator]
    assert [f for f in check_adaptation(made) if not f.passed] == []


class Steps(ProtoNet):
    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        stats = super().backward(net, batch, rng, progress)
        with torch.no_grad():
            next(net.parameters()).mul_(0.9)
        return stats


class Global(ProtoNet):
    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        torch.rand(1)
        return super().backward(net, batch, rng, progress)


class Uphill(ProtoNet):
    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        stats = super().backward(net, batch, rng, progress)
        for p in net.parameters():
            p.grad = None if p.grad is None else -p.grad
        return stats


class Miscounted(ProtoNet):
    def passes(self) -> int:
        return 1


class Ordered(Prototypes):
    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        weights = torch.linspace(0, 20, z.shape[1])[:, None]
        return super().fit(net, z * weights, y, way, rng)


class Boastful(ProtoNet):
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    def adaptation(self) -> Prototypes:
        return Ordered()


class Silent(ProtoNet):
    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        return StepStats(1.0, self.passes())


@pytest.mark.parametrize(
    ("method", "check"),
    [
        (Steps, "weights"),
        (Global, "same key"),
        (Uphill, "learns"),
        (Miscounted, "passes"),
        (Boastful, "traits"),
        (Silent, "runs"),
    ],
)
def test_a_faulty_method_is_found(method: type[ProtoNet], check: str) -> None:
    failed = {f.name for f in check_method(method.model_validate({"train": DIET})) if not f.passed}
    assert check in failed


class Writes(Prototypes):
    def embed(self, net: nn.Module, x: Tensor) -> Tensor:
        with torch.no_grad():
            next(net.parameters()).mul_(0.99)
        return super().embed(net, x)


class Random(Prototypes):
    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        return super().fit(net, z + torch.rand_like(z), y, way, rng)


class Leaks(Prototypes):
    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        return super().fit(net, z / z.std(), y, way, rng)


class Quotient(Prototypes):
    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        counts = nn.functional.one_hot(y, way).sum(1)
        return super().fit(
            net, z * (counts[..., None].float().min(1, keepdim=True).values / counts.amin()), y, way, rng
        )


class Once(Prototypes):
    def adapt(self, net: nn.Module, support_x: Tensor, support_y: Tensor, way: int, rng: Rng) -> Classifier:
        super().adapt(net, support_x, support_y, way, rng)
        return super().adapt(net, support_x, support_y, way, rng)


@pytest.mark.parametrize(
    ("adaptation", "check"),
    [
        (Writes, "nothing else touched"),
        (Random, "same key"),
        (Leaks, "tasks apart"),
        (Quotient, "dirty support"),
        (Once, "passes"),
    ],
)
def test_a_faulty_adaptation_is_found(adaptation: type[Prototypes], check: str) -> None:
    failed = {f.name for f in check_adaptation(adaptation()) if not f.passed}
    assert check in failed
