"""CPU time of our attacks and of torchattacks: ``python tests/benchmarks/attacks.py [--episodes 100]``.

Runs in the environment that ``.ci/parity`` makes, with one thread, and measures process time. A conv4-64 is trained to
embed characters, once plainly and once on queries attacked by PGD, and met by prototypes on 5-way tasks of 75 queries.
Ours attacks all tasks in one call; torchattacks, which knows no tasks, one episode after the other, each as a module
of its own. Both have the same steps, targets and queries. Prints markdown.
"""

import argparse
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from parity.attack_peers import contiguous, peer_ensemble, peer_pgd

from robustmeta import memory
from robustmeta.adaptations.prototypes import Centres, Prototypes
from robustmeta.attacks.autoattack import AutoAttack
from robustmeta.attacks.pgd import PGD
from robustmeta.core import Classifier, Domain, Tasks, TaskShape, gather, sample
from robustmeta.domains.glyphs import Glyphs
from robustmeta.functional.projection import BALLS
from robustmeta.functional.prototypes import prototypes
from robustmeta.nets import Network
from robustmeta.rng import Rng

SIZE, WIDTH, WAY = 28, 64, 5
SHAPE = TaskShape(WAY, 5, 15)
TRAINING = TaskShape(20, 5, 5)
INNER = 3
KINDS = ("plain", "adversarial")


def body() -> nn.Sequential:
    """A conv4 that halves by strides, the project's default."""
    layers: list[nn.Module] = []
    for i in range(4):
        conv = nn.Conv2d(1 if i == 0 else WIDTH, WIDTH, 3, 2, 1, bias=False)
        layers += [conv, nn.BatchNorm2d(WIDTH), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Flatten())


@dataclass
class Episodic:
    """A network that embeds images, and the prototypes of T tasks."""

    net: nn.Sequential
    tasks: Tasks

    def __post_init__(self) -> None:
        with torch.no_grad():
            z = self.net(self.tasks.support_x.flatten(0, 1)).unflatten(0, self.tasks.support_x.shape[:2])
            self.centres, self.counts = prototypes(z, self.tasks.support_y, WAY)

    def ours(self) -> Classifier:
        """As a study has it."""
        body = deepcopy(self.net)
        body.features = self.centres.shape[-1]  # type: ignore[assignment]
        return Prototypes().classifier(Network(body).eval(), Centres(self.centres, self.counts))

    def theirs(self) -> list[nn.Module]:
        """A module an episode, with the same logits, as PyTorch builds it."""
        made: list[nn.Module] = []
        for centres in self.centres:
            head = nn.Linear(centres.shape[1], WAY)
            head.load_state_dict({"weight": 2 * centres, "bias": -centres.square().sum(-1)})
            made.append(contiguous(nn.Sequential(*self.net, head)))
        return made


def train(domain: Domain, steps: int, eps: float) -> nn.Sequential:
    """Prototypical training, on queries attacked within eps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = body().train()
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    ball = BALLS["linf"]
    for step in range(steps):
        tasks = gather(sample(domain, TRAINING, 0, step, step + 1, "train"), domain.images, domain.images)
        x = query = tasks.query_x[0]

        def loss(x: Tensor, tasks: Tasks = tasks) -> Tensor:
            z = net(torch.cat([tasks.support_x[0], x]))
            n = tasks.support_x.shape[1]
            centres = prototypes(z[None, :n], tasks.support_y, TRAINING.way)[0]
            return F.cross_entropy(-torch.cdist(z[n:], centres[0]).square(), tasks.query_y[0])

        for _ in range(INNER if eps else 0):
            leaf = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(leaf), leaf)
            x = ball.within(query, leaf.detach() + eps / 2 * gradient.sign(), eps)
        optimiser.zero_grad()
        loss(x).backward()
        optimiser.step()
    return net.eval()


def spent(work: Callable[[], list[Tensor]]) -> tuple[list[Tensor], float]:
    """What it gives, and its process time in seconds."""
    started = time.process_time()
    made = work()
    return made, time.process_time() - started


def robust(modules: list[nn.Module], attacked: list[Tensor], y: Tensor) -> float:
    """Share of all queries that are still right."""
    with torch.no_grad():
        right = [m(x).argmax(-1) == labels for m, x, labels in zip(modules, attacked, y, strict=True)]
    return float(torch.stack(right).float().mean())


def contest(name: str, label: str, episodic: Episodic, eps: float, chosen: argparse.Namespace) -> str:
    """A row: accuracies, seconds and their ratio."""
    tasks, modules = episodic.tasks, episodic.theirs()
    attack, peer = {
        "PGD": (PGD(steps=chosen.steps), lambda m: peer_pgd(m, eps, chosen.steps)),
        "ensemble": (
            AutoAttack(steps=chosen.ensemble_steps, queries=chosen.queries),
            lambda m: peer_ensemble(m, "linf", eps, chosen.ensemble_steps, chosen.queries, WAY - 1),
        ),
    }[name]
    keys = np.arange(tasks.query_y.numel(), dtype=np.uint64).reshape(tasks.query_y.shape)
    classifier, y = episodic.ours(), tasks.query_y
    mine, ours = spent(lambda: list(attack.perturb(classifier, tasks.query_x, y, eps, Rng(0, ("benchmark",), keys))))
    made, theirs = spent(lambda: [peer(m)(x, t) for m, x, t in zip(modules, tasks.query_x, y, strict=True)])
    clean = robust(modules, list(tasks.query_x), y)
    cells = [f"{100 * v:.1f}" for v in (clean, robust(modules, mine, y), robust(modules, made, y))]
    return (
        f"| {' | '.join([name, label, f'{eps:g}', *cells, f'{ours:.1f}', f'{theirs:.1f}', f'{theirs / ours:.2f}'])} |"
    )


def main(chosen: argparse.Namespace) -> None:
    """Print the table as it is made."""
    memory.keep()  # as a study does; both programs have it
    torch.set_num_threads(1)
    sys.stdout.write(
        f"{datetime.now(UTC):%Y-%m-%d}; process time, 1 thread; torch {version('torch')}, torchattacks "
        f"{version('torchattacks')}; conv4-{WIDTH}, {SIZE}x{SIZE}, 5-way, 75 queries an episode; PGD-{chosen.steps} on "
        f"{chosen.episodes} episodes, the ensemble ({chosen.ensemble_steps} steps, {chosen.queries} queries) on "
        f"{chosen.ensemble_episodes}.\n\n"
        "| attack | training | eps | clean % | ours % | theirs % | ours s | theirs s | ratio |\n"
        f"|{'---|' * 9}\n"
    )
    seen, unseen = (Glyphs(split=split).load(SIZE, 1) for split in ("train", "test"))
    for label in chosen.kinds:
        net = train(seen, chosen.training, chosen.eps if label == "adversarial" else 0.0)
        for name, count in (("PGD", chosen.episodes), ("ensemble", chosen.ensemble_episodes)):
            tasks = gather(sample(unseen, SHAPE, 0, 0, count), unseen.images, unseen.images)
            sys.stdout.write(f"{contest(name, label, Episodic(net, tasks), chosen.eps, chosen)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="CPU time of both programs.")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--ensemble-episodes", type=int, default=4)
    parser.add_argument("--ensemble-steps", type=int, default=100)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--eps", type=float, default=0.1)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, help="how the network is trained")
    parser.add_argument("--training", type=int, default=200, help="steps of training")
    main(parser.parse_args())
