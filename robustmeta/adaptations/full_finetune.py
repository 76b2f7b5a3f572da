"""Fine-tuning of a whole network from a random head."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.fresh_head import BIAS, BODY, WEIGHT, adapted_mode, body_params, with_fresh_head
from robustmeta.adaptations.gradient import spread, support_losses, with_support_statistics
from robustmeta.adaptations.heads import uniform_start
from robustmeta.config.components import Adaptation, component
from robustmeta.core import Classifier, TaskShape
from robustmeta.functional.inner_loop import Params, descend, leaves, minibatches, order_in, sgd, tracking
from robustmeta.functional.updates import momentum_adam, momentum_sgd
from robustmeta.nets import as_network
from robustmeta.rng import Rng


@component(
    "full_finetune",
    paper="Guo et al. 2020, A Broader Study of Cross-Domain Few-Shot Learning, section 4.2 (fine-tuning all weights)",
)
class FullFinetune(Adaptation):
    """A new linear layer and the whole body, trained on the support in mini-batches.

    Batch normalisation uses the mini-batch's statistics in each step, and the whole support's for the query. With the
    published defaults every support image passes forward and backward a hundred times: ``batch: 25`` with ``adam``
    and fewer epochs costs a fraction.
    """

    optimiser: Literal["sgd", "adam"] = Field(
        default="sgd",
        description="sgd as published: momentum 0.9, dampening 0.9 and decay 1e-3 for the head alone; or adam",
    )
    rate: float = Field(default=0.01, gt=0, description="the step of body and head")
    epochs: int = Field(default=100, ge=1, le=10_000, description="passes through the support, each in a new order")
    batch: int = Field(
        default=4, ge=2, description="images of a step; one may span two passes, so that all have as many"
    )

    grid: ClassVar[dict[str, tuple[Any, ...]]] = {"rate": (0.01, 0.03, 0.1)}

    def adapt(self, net: nn.Module, support_x: Tensor, support_y: Tensor, way: int, rng: Rng) -> Classifier:
        """Adapt to T tasks side by side."""
        network = as_network(net)
        tuned, (tasks, images) = with_fresh_head(network, way, unit=False), support_y.shape
        weight, bias = uniform_start(rng, way, network.features)
        steps = self._steps(images)
        rows = minibatches(rng, images, self.batch, steps)
        order = order_in(support_x)
        with tracking(support_x):
            start = {**spread(body_params(network), tasks), WEIGHT: weight.to(support_x), BIAS: bias.to(support_x)}
            start = leaves(start, order)
            losses = support_losses(tuned, {}, support_x, support_y, rows)
            if self.optimiser == "adam":
                own = descend(losses, start, momentum_adam(self.rate), None, steps, order)[0]
            else:
                own = descend(losses, start, published_sgd(self.rate), None, steps, order)[0]
            return with_support_statistics(tuned, adapted_mode(network), {}, own, support_x)

    def passes(self, shape: TaskShape, tasks: int) -> int:
        """The mini-batches, and the support once more for its statistics."""
        images = shape.way * shape.shot
        return tasks * (self._steps(images) * min(self.batch, images) + images)

    def _steps(self, images: int) -> int:
        return -(-self.epochs * images // min(self.batch, images))


def published_sgd(rate: float) -> Callable[[Params, Params, Params | None], tuple[Params, Params | None]]:
    """Plain steps of the body, and those of ``linear_sgd`` for the head."""
    plain, damped = sgd(rate), momentum_sgd(rate, 0.9, 0.9, 1e-3)

    def update(params: Params, gradients: Params, state: Params | None) -> tuple[Params, Params | None]:
        head, state = damped({k: p for k, p in params.items() if not k.startswith(BODY)}, gradients, state)
        body, _ = plain({k: p for k, p in params.items() if k.startswith(BODY)}, gradients, None)
        return body | head, state

    return update
