"""What adversarial training is for: on the same episodes, more queries stay right under attack."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from robustmeta.attacks.pgd import PGD
from robustmeta.backbones.conv4 import Conv4
from robustmeta.core import Domain, Episodes, TaskShape, gather, sample
from robustmeta.domains.glyphs import Glyphs
from robustmeta.domains.omniglot import Omniglot
from robustmeta.functional.schedules import share
from robustmeta.methods.protonet import ProtoNet
from robustmeta.methods.training import Fed
from robustmeta.rng import Rng, combine
from robustmeta.study.sampler import batch

EPS, STEPS = 0.1, 150
DIET = {"way": 10, "shot": 5, "query": 5, "tasks": 1}
"""100 images a step, 15,000 in all."""


def trained(method: Fed, domain: Domain, steps: int = STEPS) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = method.build(Conv4(width=16), 28, 1, len(domain.classes))
    optimiser = method.optimiser(net)
    (group,) = optimiser.param_groups
    highest = group["lr"]
    for step in range(steps):
        group["lr"] = highest * share(method.schedule, step / steps)
        optimiser.zero_grad()
        method.backward(net, batch(domain, method.diet(), 0, step), Rng(0, ("train",), [step]), step / steps)
        optimiser.step()
    return net


def accuracies(method: Fed, net: torch.nn.Module, domain: Domain, episodes: Episodes) -> tuple[float, float]:
    """Clean, and under PGD of 20 steps."""
    clean, attacked = by_episode(method, net, domain, episodes)
    return float(clean.mean()), float(attacked.mean())


def by_episode(method: Fed, net: torch.nn.Module, domain: Domain, episodes: Episodes) -> tuple[Tensor, Tensor]:
    """The same for each episode (T,)."""
    tasks, keys = gather(episodes, domain.images, domain.images), Rng(0, ("adapt",), episodes.number)
    classifier = method.adaptation().adapt(net, tasks.support_x, tasks.support_y, tasks.way, keys)
    images = Rng(0, ("pgd",), combine(episodes.number[:, None], domain.ids[episodes.query.numpy()]))
    attacked = PGD(steps=20).perturb(classifier, tasks.query_x, tasks.query_y, EPS, images)
    with torch.no_grad():
        right = [(classifier(x).argmax(-1) == tasks.query_y).float().mean(1) for x in (tasks.query_x, attacked)]
    return right[0], right[1]


@pytest.mark.slow
@pytest.mark.parametrize("adversary", [{}, {"loss": "trades"}])
def test_adversarial_querying_withstands_more(adversary: dict[str, Any]) -> None:
    """5-way 5-shot, in L∞ at 0.1: at as many images, and where natural training takes as many gradient passes."""
    source, target = (Glyphs(split=split, faces=("stix",)).load(28, 1) for split in ("train", "test"))
    episodes = sample(target, TaskShape(5, 5, 15), 0, 0, 20)
    plain = ProtoNet(train=DIET)
    fought = ProtoNet(train=DIET, adversary={"eps": EPS, **adversary})
    own, kept = accuracies(fought, trained(fought, source), target, episodes)
    assert own > 0.6
    for steps in (STEPS, STEPS * fought.gradient_passes() // plain.gradient_passes()):
        clean, broken = accuracies(plain, trained(plain, source, steps), target, episodes)
        assert clean > 0.6
        assert kept > broken + 0.1


def beats(source: Domain, target: Domain, adversary: dict[str, Any]) -> tuple[float, float]:
    """By how much the share of queries that stay right is higher with the adversary, and the interval's half width."""
    episodes = sample(target, TaskShape(5, 5, 15), 0, 0, 20)
    methods = [ProtoNet(train=DIET, adversary=adversary), ProtoNet(train=DIET)]
    seen = [by_episode(m, trained(m, source), target, episodes) for m in methods]
    assert min(float(clean.mean()) for clean, _ in seen) > 0.6
    gain = seen[0][1] - seen[1][1]
    return float(gain.mean()), 2.1 * float(gain.std()) / len(gain) ** 0.5  # 97.5% of t with 19 degrees of freedom


@pytest.mark.slow
@pytest.mark.data
def test_it_withstands_more_on_drawn_characters(data_dir: Path) -> None:
    """Omniglot, unseen alphabets, 5-way 5-shot, in L∞ at 0.1; an adversary without an ε is none, and wins nothing."""
    path = data_dir / "images_background.zip"
    source = Omniglot(path=path, split="train", val=(), test=("Korean", "Greek", "Latin")).load(28, 1)
    target = Omniglot(path=path, split="test", test=("Korean", "Greek", "Latin")).load(28, 1)
    gain, width = beats(source, target, {"eps": EPS, "steps": 3, "step_size": 0.5})
    assert gain > 3 * width > 0, (gain, width)
    gain, width = beats(source, target, {"eps": 0.0})
    assert not gain > 3 * width, "an adversary that does nothing"
