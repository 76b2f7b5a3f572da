"""A support vector machine as a differentiable learner."""

from typing import ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from robustmeta.config.components import Diet, component
from robustmeta.core import Traits
from robustmeta.heads.solved import SvmHead
from robustmeta.methods.features import HeadLearner
from robustmeta.nets import ContextHead


@component("metaoptnet", paper="Lee et al. 2019, Meta-Learning with Differentiable Convex Optimization, section 3.3")
class MetaOptNet(HeadLearner):
    """Learn features on which a linear multi-class support vector machine, fitted to the support, classifies queries.

    Logits are γ times the scores of Crammer and Singer's machine with parameter ``c``; γ is learned, from ``scale``.
    Its dual is solved in float64 until the duality gap is about 1e-10 of the objective (the authors stop an interior
    point method after 15 steps), and the gradient follows from the optimality conditions. The loss is cross-entropy on
    labels of which a share ``smoothing`` goes to the other classes. The authors train on eight tasks a step, by descent
    with momentum; here two tasks make a step, and Adam takes it. In training one set of batch statistics covers the
    supports and queries of all tasks of a step. ``rate`` is that of the outer Adam, which falls to zero along a cosine.
    """

    family: ClassVar[str] = "closed-form"
    traits: ClassVar[Traits] = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)

    train: Diet = Diet(way=5, shot=15, query=5, tasks=2)
    c: float = Field(default=0.1, gt=0)
    scale: float = Field(default=1.0, gt=0)
    smoothing: float = Field(default=0.1, ge=0, lt=1)

    def head(self, body: nn.Module) -> ContextHead:
        """The machine."""
        return SvmHead(self.c, self.scale)

    def losses(self, logits: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy with (1 − ε) on the label and ε / (way − 1) on every other class."""
        way = logits.shape[-1]
        uniform = self.smoothing * way / (way - 1)
        each = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none", label_smoothing=uniform)
        return each.view_as(y).mean(1)
