"""The gradient of a seed loss by support pixels, through every adaptation, against differences."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.adaptations import TABLE
from robustmeta.config.components import Adaptation
from robustmeta.config.find import build
from robustmeta.functional.inner_loop import first_order, forced
from robustmeta.heads.solved import RidgeHead
from robustmeta.nets import Network
from robustmeta.rng import Rng

WAY, STEP = 3, 1e-5
FIELDS: dict[str, dict[str, Any]] = {
    "cosine_head": {"epochs": 3, "rate": 0.1, "learn_scale": True},
    "full_finetune": {"epochs": 2, "rate": 0.1},
    "gradient": {"steps": 3, "rate": 0.5},
    "linear_sgd": {"epochs": 3, "rate": 0.1},
    # Adam's first step divides a bias's slope, which the probe leaves at rounding, by itself: a low rate, so that
    # differences see little of that noise
    "lp_ft": {"steps": 2, "rate": 1e-6},
    "transductive_finetune": {"steps": 3, "rate": 0.01},
}
CASES = [
    *((name, FIELDS.get(name, {})) for name in sorted(TABLE)),
    ("full_finetune", {"epochs": 1, "optimiser": "adam", "rate": 0.001}),
    ("gradient", {"steps": 3, "rate": 0.5, "layers": "head"}),
    ("gradient", {"steps": 3, "rate": 0.5, "batch": 4}),
    ("matching", {"distance": "l2"}),
]
STEPPED = {"cosine_head", "full_finetune", "gradient", "linear_sgd", "lp_ft", "transductive_finetune"}


class Body(nn.Module):
    """A smooth embedding with a normalisation layer."""

    features = 6

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.linear = nn.Linear(12, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(F.avg_pool2d(self.norm(self.conv(x)).tanh(), 2).flatten(1))


def network(name: str) -> Network:
    body = Body()
    for i, p in enumerate(body.parameters()):
        p.data = 0.4 * Rng(0, ("body", i), [0]).normal(*p.shape)[0] + (i == 1)
    net = Network(body, WAY, head=RidgeHead(1.0, 5.0)) if name == "in_context" else Network(body, WAY)
    if name != "in_context":
        for i, p in enumerate(net.head.parameters()):
            p.data = 0.5 * Rng(0, ("head", i), [0]).normal(*p.shape)[0]
    return net.double().eval()


class Problem:
    """Two tasks, whose seed loss is a function of the support."""

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        self.net, self.adaptation = network(name), build("adaptations", Adaptation, {"name": name, **fields})
        self.x = Rng(0, ("support",), [0, 1]).uniform(6, 1, 4, 4).double()
        self.y = torch.tensor([[0, 1, 2, 0, 1, 2]] * 2)
        self.seed_x = Rng(0, ("seed",), [0, 1]).uniform(5, 1, 4, 4).double()
        self.seed_y = torch.tensor([[0, 1, 2, 2, 1]] * 2)

    def loss(self, x: Tensor) -> Tensor:
        classifier = self.adaptation.adapt(self.net, x, self.y, WAY, Rng(0, ("adapt",), [0, 1]))
        return F.cross_entropy(classifier(self.seed_x).flatten(0, 1), self.seed_y.flatten(), reduction="sum")

    def slope(self) -> Tensor:
        leaf = self.x.clone().requires_grad_()
        return torch.autograd.grad(self.loss(leaf), leaf)[0]

    def difference(self, i: int) -> float:
        d = torch.zeros_like(self.x)
        d[i % 2, i, 0, i % 4, 3 * i % 4] = STEP
        with torch.no_grad():
            return float((self.loss(self.x + d) - self.loss(self.x - d)) / (2 * STEP))


@pytest.mark.parametrize("batched", [True, False], ids=["one pass", "task by task"])
@pytest.mark.parametrize(("name", "fields"), CASES, ids=str)
def test_the_gradient_by_the_support_is_exact(name: str, fields: dict[str, Any], batched: bool) -> None:
    problem = Problem(name, fields)
    with forced(batched):
        slope = problem.slope()
        for i in range(6):
            own = float(slope[i % 2, i, 0, i % 4, 3 * i % 4])
            assert own == pytest.approx(problem.difference(i), abs=3e-5 * float(slope.abs().max()) + 1e-9)


@pytest.mark.parametrize(("name", "fields"), CASES, ids=str)
def test_no_graph_is_kept_unless_the_support_asks_for_one(name: str, fields: dict[str, Any]) -> None:
    problem = Problem(name, fields)
    plain = problem.adaptation.adapt(problem.net, problem.x, problem.y, WAY, Rng(0, ("adapt",), [0, 1]))
    leaf = problem.x.clone().requires_grad_()
    with torch.no_grad():
        off = problem.loss(leaf)
    assert not plain(problem.seed_x).requires_grad or name == "transductive_finetune"
    assert not off.requires_grad
    assert off == problem.loss(problem.x)
    assert all(p.grad is None for p in problem.net.parameters())


@pytest.mark.parametrize(("name", "fields"), CASES, ids=str)
def test_first_order_differs_where_there_are_steps(name: str, fields: dict[str, Any]) -> None:
    problem = Problem(name, fields)
    whole = problem.slope()
    with first_order():
        first = problem.slope()
    assert torch.equal(whole, first) == (name not in STEPPED)
    assert (first != 0).any()


def test_first_order_is_exact_for_one_step() -> None:
    """With one step there is no ∂φ₂/∂φ₁ to leave out."""
    problem = Problem("gradient", {"steps": 1, "rate": 0.5, "layers": "head"})
    with first_order():
        first = problem.slope()
    torch.testing.assert_close(first, problem.slope())


@pytest.mark.parametrize("name", ["gradient", "lp_ft", "linear_sgd"])
def test_differences_find_a_gradient_of_first_order(name: str) -> None:
    """A planted fault: the inner loop loses how one step moves the next."""
    problem = Problem(name, FIELDS[name])
    with first_order():
        slope = problem.slope()
    errors = [abs(float(slope[i % 2, i, 0, i % 4, 3 * i % 4]) - problem.difference(i)) for i in range(6)]
    assert max(errors) > 1e-4 * float(problem.slope().abs().max())
