"""Fine-tuning of a whole network from a probe."""

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.fresh_head import BIAS, WEIGHT, adapted_mode, body_params, with_fresh_head
from robustmeta.adaptations.gradient import spread, support_losses, whole, with_support_statistics
from robustmeta.config.components import Adaptation, component
from robustmeta.core import Classifier, TaskShape
from robustmeta.functional.inner_loop import adam, descend, leaves, order_in, per_task, tracking
from robustmeta.functional.logistic import logistic_regression
from robustmeta.nets import as_network
from robustmeta.rng import Rng


@component(
    "lp_ft", version=2, paper="Kumar et al. 2022, Fine-Tuning can Distort Pretrained Features, section 4 (LP-FT)"
)
class LpFt(Adaptation):
    """A linear probe, then ``steps`` steps of Adam without momentum on body and head together.

    The network's own head is not used, so any body serves any way. Features have unit length; normalisation statistics
    are the support's. ``c`` is the probe's inverse regularisation, ``rate`` the step of every weight.
    """

    steps: int = Field(default=10, ge=0, le=10_000)
    rate: float = Field(default=1e-3, gt=0)
    c: float = Field(default=10.0, gt=0, le=1e4)

    grid: ClassVar[dict[str, tuple[Any, ...]]] = {"rate": (3e-4, 1e-3, 3e-3), "steps": (5, 20)}

    def adapt(self, net: nn.Module, support_x: Tensor, support_y: Tensor, way: int, rng: Rng) -> Classifier:
        """Adapt to T tasks side by side; the whole support at every step."""
        network = as_network(net)
        tuned, body = with_fresh_head(network, way, unit=True), body_params(network)
        order = order_in(support_x)
        with tracking(support_x):
            z, _ = per_task(tuned[:-1], body, {}, support_x)
            weight, bias = logistic_regression(z, support_y, way, self.c)
            start = {**spread(body, len(support_x)), WEIGHT: weight, BIAS: bias}
            start = leaves(start, order)
            losses = support_losses(tuned, {}, support_x, support_y, whole(support_y, self.steps))
            second = {k: torch.zeros_like(p) for k, p in start.items()}
            own, _ = descend(
                losses, start, adam(self.rate), (second, torch.zeros((), dtype=torch.float64)), self.steps, order
            )
            return with_support_statistics(tuned, adapted_mode(network), {}, own, support_x)

    def passes(self, shape: TaskShape, tasks: int) -> int:
        """The support for the probe, at every step, and once more for its statistics."""
        return tasks * shape.way * shape.shot * (self.steps + 2)
