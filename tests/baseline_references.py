"""Published baselines written out for one task at a time with ``torch.optim``, in float64."""

from copy import deepcopy

import learners
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.adaptations.cosine_head import CosineHead
from robustmeta.adaptations.full_finetune import FullFinetune
from robustmeta.adaptations.linear_sgd import LinearSgd
from robustmeta.adaptations.transductive_finetune import TransductiveFinetune
from robustmeta.nets import Network

TASKS, WAY, SHOT = 2, 3, 3  # 9 images a task: batches of 4, 4 and 1


def supervised() -> Network:
    """A little-trained network in float64."""
    method = learners.small("supervised")
    net = learners.build(method, width=16)
    learners.train(method, net, 2)
    return net.double()


def head_gap(adaptation: LinearSgd | CosineHead) -> float:
    """The largest difference of logits from the same layer trained by ``torch.optim.SGD``."""
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(TASKS, WAY * SHOT, 7, generator=generator, dtype=torch.float64) * 3
    y = torch.arange(WAY).repeat(TASKS, SHOT)
    logits = adaptation.fit(nn.Identity(), z, y, WAY, learners.task_rng(TASKS))(z)
    rng = learners.task_rng(TASKS)
    drawn = ((rng.uniform(WAY, 8) * 2 - 1) / 7**0.5).double()  # drawn in float32
    orders = [rng.permutation(WAY * SHOT) for _ in range(adaptation.epochs)]
    worst = 0.0
    for t in range(TASKS):
        layer = _layer(adaptation, drawn[t])
        optimiser = torch.optim.SGD(
            layer.parameters(),
            lr=adaptation.rate,
            momentum=adaptation.momentum,
            dampening=adaptation.dampening,
            weight_decay=adaptation.decay,
        )
        for order in orders:
            for start in range(0, WAY * SHOT, adaptation.batch):
                rows = order[t, start : start + adaptation.batch]
                optimiser.zero_grad()
                F.cross_entropy(layer(z[t, rows]), y[t, rows]).backward()
                optimiser.step()
        worst = max(worst, float((layer(z[t]) - logits[t]).detach().abs().max()))
    return worst


class _Cosine(nn.Module):
    def __init__(self, weight: Tensor, scale: float, learned: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64), requires_grad=learned)

    def forward(self, z: Tensor) -> Tensor:
        return self.scale * torch.stack([F.cosine_similarity(z, w[None]) for w in self.weight], 1)


def _layer(adaptation: LinearSgd | CosineHead, drawn: Tensor) -> nn.Module:
    if isinstance(adaptation, CosineHead):
        return _Cosine(drawn[:, :-1].clone(), adaptation.scale, adaptation.learn_scale)
    layer = nn.Linear(7, WAY, dtype=torch.float64)
    layer.load_state_dict({"weight": drawn[:, :-1], "bias": drawn[:, -1]})
    return layer


def both_streams(body: nn.Module, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """Features of support and query of a conv4, both normalised with the support's statistics."""
    p = dict(body.named_parameters())
    for i in range(4):
        weight = p[f"block{i}.conv.weight"]
        support, query = (F.conv2d(x, weight, stride=2, padding=1) for x in (support, query))
        mean = support.mean((0, 2, 3), keepdim=True)
        deviation = ((support - mean).square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
        gain, offset = (p[f"block{i}.norm.{k}"][:, None, None] for k in ("weight", "bias"))
        support, query = (F.relu((x - mean) / deviation * gain + offset) for x in (support, query))
    return support.flatten(1), query.flatten(1)


def full_finetune_gap(optimiser: str = "sgd", epochs: int = 3, rate: float = 0.02) -> float:
    """The largest difference of a task's logits from a copy of the network trained by ``torch.optim``."""
    net, tasks = supervised(), learners.made_tasks(1, WAY, SHOT, 2, torch.float64)
    adaptation = FullFinetune(optimiser=optimiser, epochs=epochs, rate=rate)  # type: ignore[arg-type]
    logits = learners.adapted(adaptation, net, tasks)(tasks.query_x)[0]
    x, y, query = tasks.support_x[0], tasks.support_y[0], tasks.query_x[0]
    rng, body = learners.task_rng(1), deepcopy(net.body)
    drawn = ((rng.uniform(WAY, net.features + 1)[0] * 2 - 1) / net.features**0.5).double()
    head = nn.Linear(net.features, WAY, dtype=torch.float64)
    head.load_state_dict({"weight": drawn[:, :-1], "bias": drawn[:, -1]})
    if optimiser == "sgd":
        steppers = [
            torch.optim.SGD(body.parameters(), lr=rate),
            torch.optim.SGD(head.parameters(), lr=rate, momentum=0.9, dampening=0.9, weight_decay=1e-3),
        ]
    else:
        steppers = [torch.optim.Adam([*body.parameters(), *head.parameters()], lr=rate)]
    steps = -(-epochs * len(y) // 4)
    stream = torch.cat([rng.permutation(len(y))[0] for _ in range(epochs + 1)])
    for k in range(steps):
        rows = stream[4 * k : 4 * k + 4]
        for stepper in steppers:
            stepper.zero_grad()
        F.cross_entropy(head(both_streams(body, x[rows], query)[0]), y[rows]).backward()
        for stepper in steppers:
            stepper.step()
    return float((head(both_streams(body, x, query)[1]) - logits).detach().abs().max())


def transductive_gap(steps: int = 4, rate: float = 1e-3) -> float:
    """The largest difference of a task's logits from a copy of the network trained by ``torch.optim.Adam``."""
    net, tasks = supervised(), learners.made_tasks(1, WAY, SHOT, 2, torch.float64)
    adaptation = TransductiveFinetune(steps=steps, rate=rate)
    logits = learners.adapted(adaptation, net, tasks)(tasks.query_x)[0]
    x, y, query = tasks.support_x[0], tasks.support_y[0], tasks.query_x[0]
    body, head = deepcopy(net.body), nn.Linear(net.features, WAY, dtype=torch.float64)

    def features() -> tuple[Tensor, Tensor]:
        support, queries = both_streams(body, x, query)
        return support / support.norm(dim=1, keepdim=True), queries / queries.norm(dim=1, keepdim=True)

    with torch.no_grad():
        for k in range(WAY):
            mean = features()[0][y == k].mean(0)
            head.weight[k] = adaptation.scale * mean / mean.norm()
        head.bias.zero_()
    stepper = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=rate)
    for _ in range(steps):
        stepper.zero_grad()
        support, queries = (head(z) for z in features())
        entropy = torch.distributions.Categorical(logits=queries).entropy().mean()
        (F.cross_entropy(support, y) + entropy).backward()
        stepper.step()
    return float((head(features()[1]) - logits).detach().abs().max())
