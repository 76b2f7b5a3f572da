"""Fine-tuning of a whole network on the support and on the queries to be classified."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.classifier import NoHead, TaskNetwork
from robustmeta.adaptations.fresh_head import BIAS, WEIGHT, adapted_mode, body_params, with_fresh_head
from robustmeta.adaptations.gradient import spread
from robustmeta.config.components import Adaptation, component
from robustmeta.core import Classifier, TaskShape
from robustmeta.functional.inner_loop import Params, descend, leaves, order_in, per_task, task_losses, tracking
from robustmeta.functional.prototypes import prototypes
from robustmeta.functional.updates import momentum_adam
from robustmeta.nets import Mode, as_network
from robustmeta.rng import Rng


def entropies(logits: Float[Tensor, "T Q way"]) -> Float[Tensor, " T"]:
    """The mean entropy −Σ_k p_k log p_k of each task's predictions."""
    return -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean(1)


@dataclass(eq=False)
class AdaptsToQueries:
    """A classifier whose weights are trained anew in every call, on the queries that it is given.

    The gradient in x is that of the trained network with its weights held fixed: it leaves out that the weights depend
    on x, so that an attack which follows it sees the right loss but is weaker than it could be.
    """

    net: nn.Module
    start: Params
    mode: Mode
    support_x: Float[Tensor, "T S C H W"]
    support_y: Int[Tensor, "T S"]
    steps: int
    rate: float
    coupled: bool = True

    def __call__(self, x: Float[Tensor, "T Q C H W"]) -> Float[Tensor, "T Q way"]:
        """Logits after ``steps`` steps on support and queries."""
        fixed = x.detach()

        def losses(params: Params, k: int) -> Tensor:
            logits, classifier = self._under(params)
            return task_losses(logits, self.support_y) + entropies(classifier(fixed))

        order = order_in(self.support_x)
        with tracking(self.support_x):
            start = leaves(self.start, order)
            own, _ = descend(losses, start, momentum_adam(self.rate), None, self.steps, order)
            _, classifier = self._under(own)
        return classifier(x)

    def _under(self, params: Params) -> tuple[Float[Tensor, "T S way"], TaskNetwork]:
        logits, given = per_task(self.net, {}, params, self.support_x, record=True)
        return logits, TaskNetwork(self.net, {}, params, self.mode, self.support_x, given, NoHead())

    def select(self, tasks: slice) -> "AdaptsToQueries":
        """The classifier of some of the tasks."""
        start = {k: p[tasks] for k, p in self.start.items()}
        return replace(self, start=start, support_x=self.support_x[tasks], support_y=self.support_y[tasks])


@component(
    "transductive_finetune", paper="Dhillon et al. 2020, A Baseline for Few-Shot Image Classification, section 3.2"
)
class TransductiveFinetune(Adaptation):
    """``steps`` steps of Adam on the support's mean cross-entropy plus the mean entropy of the queries' predictions.

    The head starts from the support: its rows are ``scale`` times the class means of features of unit length, which
    are given unit length too. Body and head adapt. A call adapts to all queries of a task together (transductive), and
    the next call starts again. Its gradient in x holds the adapted weights fixed.
    """

    steps: int = Field(default=25, ge=0, le=10_000, description="steps on the whole support and all queries")
    rate: float = Field(default=5e-5, gt=0, description="the step of every weight")
    scale: float = Field(default=10.0, gt=0, description="length of the head's class vectors at the start")

    grid: ClassVar[dict[str, tuple[Any, ...]]] = {"rate": (5e-5, 5e-4, 2e-3)}

    def adapt(self, net: nn.Module, support_x: Tensor, support_y: Tensor, way: int, rng: Rng) -> Classifier:
        """The head's start for T tasks; the steps are taken when there are queries."""
        network = as_network(net)
        tuned, body = with_fresh_head(network, way, unit=True), body_params(network)
        with tracking(support_x):
            z, _ = per_task(tuned[:-1], body, {}, support_x)
            weight = self.scale * F.normalize(prototypes(z, support_y, way)[0], dim=-1)
        start = {**spread(body, len(support_x)), WEIGHT: weight, BIAS: torch.zeros_like(weight[..., 0])}
        return AdaptsToQueries(tuned, start, adapted_mode(network), support_x, support_y, self.steps, self.rate)

    def passes(self, shape: TaskShape, tasks: int) -> int:
        """The support once, for the head's start; the steps are taken in each call."""
        return tasks * shape.way * shape.shot

    def answer_passes(self, shape: TaskShape) -> int:
        """Support and queries at every step, and once more."""
        return (self.steps + 1) * shape.images
