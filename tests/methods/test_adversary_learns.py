"""What adversarial training is for: on the same episodes, more queries stay right under attack."""

from typing import Any

import pytest
import torch

from robustmeta.attacks.pgd import PGD
from robustmeta.backbones.conv4 import Conv4
from robustmeta.core import Domain, Episodes, TaskShape, gather, sample
from robustmeta.domains.glyphs import Glyphs
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
    tasks, keys = gather(episodes, domain.images, domain.images), Rng(0, ("adapt",), episodes.number)
    classifier = method.adaptation().adapt(net, tasks.support_x, tasks.support_y, tasks.way, keys)
    images = Rng(0, ("pgd",), combine(episodes.number[:, None], domain.ids[episodes.query.numpy()]))
    attacked = PGD(steps=20).perturb(classifier, tasks.query_x, tasks.query_y, EPS, images)
    with torch.no_grad():
        right = [(classifier(x).argmax(-1) == tasks.query_y).float().mean() for x in (tasks.query_x, attacked)]
    return float(right[0]), float(right[1])


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
