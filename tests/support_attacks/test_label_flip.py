"""Where an adaptation reads features alone, flipping labels embeds each image once, and changes nothing else."""

from dataclasses import replace

import learners
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.adaptations.linear_probe import LinearProbe
from robustmeta.adaptations.prototypes import Prototypes
from robustmeta.adaptations.ridge import Ridge
from robustmeta.adaptations.simpleshot import SimpleShot
from robustmeta.config.components import EmbeddingAdaptation
from robustmeta.config.poisoning import SupportAttackShift
from robustmeta.core import TaskShape
from robustmeta.rng import Rng
from robustmeta.study.poisoned import passes
from robustmeta.study.victims import Adapting
from robustmeta.support_attacks.label_flip import LabelFlip

EPS, WAY = 0.4, 3


def flip(adaptation: EmbeddingAdaptation, *, by_features: bool) -> tuple[Tensor, int]:
    """Labels flipped, and how many images went through the network."""
    net, tasks, sent = learners.build(learners.small("protonet")), learners.made_tasks(2, shot=2, query=2), [0]
    victim = Adapting(net, adaptation, WAY, learners.task_rng(2), by_features)
    embed = FixedFeatures.embed

    def counted(self: FixedFeatures, net: nn.Module, x: Tensor) -> Tensor:
        sent[0] += len(x)
        return embed(self, net, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FixedFeatures, "embed", counted)
        support, seed = (tasks.support_x, tasks.support_y), (tasks.query_x, tasks.query_y)
        x, y = LabelFlip().perturb(victim, support, seed, EPS, Rng(0, ("flip",), np.arange(12).reshape(2, 6)))
    assert torch.equal(x, tasks.support_x)
    assert (y != tasks.support_y).sum(1).tolist() == [2, 2]
    return y, sent[0]


@pytest.mark.parametrize("adaptation", [Prototypes(), LinearProbe(), Ridge(), SimpleShot()], ids=lambda a: a.name)
def test_the_same_labels_in_one_pass(adaptation: EmbeddingAdaptation) -> None:
    again, many = flip(adaptation, by_features=False)
    once, few = flip(adaptation, by_features=True)
    assert torch.equal(again, once)
    candidates = LabelFlip().runs(6, 6, WAY, EPS)[0]
    assert candidates == 2 * (6 + 5)
    assert many == 2 * candidates * (6 + 6)
    assert few == 2 * (6 + 6)


def test_what_is_planned() -> None:
    entry = SupportAttackShift.model_validate({"support_attack": "label_flip", "eps": [EPS], "seed": 2, "episodes": 2})
    shift, shape = replace(entry.points(16, 2)[0], value=EPS), TaskShape(WAY, 2, 5)
    once, anew = (passes(Prototypes(), shift, shape, 2, by_features=held) for held in (True, False))
    measured = 2 * (6 + WAY * 5)  # adapts to what was made, and answers
    assert once == (2 * (6 + 6) + measured, 0)
    assert anew == (2 * 22 * (6 + 6) + measured, 0)
