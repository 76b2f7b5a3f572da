"""Almost no inner loop."""

from typing import ClassVar

from pydantic import Field
from torch import nn

from robustmeta.adaptations.gradient import features, head_logits, head_losses, spread
from robustmeta.config.components import Backbone, component
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.functional.inner_loop import descend, per_task, sgd, task_losses
from robustmeta.methods.descending import Descending
from robustmeta.methods.training import expect
from robustmeta.nets import Layers, Network, as_network
from robustmeta.rng import Rng


@component("anil", paper="Raghu et al. 2020, Rapid Learning or Feature Reuse?, section 4")
class Anil(Descending):
    """MAML whose inner steps change the head alone; the outer step changes all, through these steps.

        φ_head ← φ_head − inner_rate · ∇L_support(θ_body, φ_head)

    Features are computed once a task. The body never steps, so that ``norm: per_step`` is as ``auto``; else
    normalisation is as in ``maml``, but running averages are kept under ``batch`` too. inner_rate is on the mean loss
    over the support; rate is that of the outer Adam, which falls to zero along a cosine.
    """

    layers: ClassVar[Layers] = "head"

    inner_rate: float = Field(default=0.1, gt=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes."""
        return Network(backbone.build(size, channels), self.train.way)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The meta-gradient of the mean query loss over the tasks."""
        tasks, network = expect(batch, Tasks), as_network(net)
        z, statistics = features(network, tasks.support_x)
        start = spread(dict(network.live_parts("head")[1]), len(z))
        losses = head_losses(network, z, tasks.support_y)
        phi, _ = descend(losses, start, sgd(self.inner_rate), None, self.inner_steps, order=2)
        given = None if network.mode == "batch" else statistics
        logits = head_logits(network, phi, per_task(network.body, {}, {}, tasks.query_x, given)[0])
        loss = task_losses(logits, tasks.query_y).mean()
        loss.backward()
        network.follow(statistics)
        return StepStats(loss.item(), tasks.support_y.numel() + tasks.query_y.numel())

    def passes(self) -> int:
        """Every image once."""
        return self.train.images
