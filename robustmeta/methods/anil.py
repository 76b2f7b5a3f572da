"""Almost no inner loop."""

from typing import ClassVar

from pydantic import Field
from torch import nn

from robustmeta.adaptations.classifier import NoHead, TaskNetwork
from robustmeta.adaptations.gradient import features, head_logits, head_losses, spread
from robustmeta.config.components import Backbone, component
from robustmeta.core import Batch, StepStats, Tasks
from robustmeta.functional.inner_loop import Params, descend, per_task, sgd, task_losses
from robustmeta.functional.normalise import Statistics
from robustmeta.methods.adversary import NOTHING, Spent
from robustmeta.methods.descending import Descending
from robustmeta.methods.training import expect
from robustmeta.nets import Layers, Network, as_network
from robustmeta.rng import Rng


@component("anil", paper="Raghu et al. 2020, Rapid Learning or Feature Reuse?, section 4")
class Anil(Descending):
    """MAML whose inner steps change the head alone; the outer step changes all, through these steps.

        φ_head ← φ_head − inner_rate · ∇L_support(θ_body, φ_head)

    Features are computed once a task, unless an adversary attacks the support of each inner step. The body never steps,
    so that ``norm: per_step`` is as ``auto``; else normalisation is as in ``maml``, but running averages are kept under
    ``batch`` too. inner_rate is on the mean loss over the support; rate is that of the outer Adam, which falls to zero
    along a cosine.
    """

    layers: ClassVar[Layers] = "head"

    inner_rate: float = Field(default=0.1, gt=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes."""
        return Network(backbone.build(size, channels), self.train.way)

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The meta-gradient of the mean query loss over the tasks."""
        if self._fights_inside:
            return super().backward(net, batch, rng, progress)
        tasks, network = expect(batch, Tasks), as_network(net)
        z, statistics = features(network, tasks.support_x)
        start = spread(dict(network.live_parts("head")[1]), len(z))
        losses = head_losses(network, z, tasks.support_y)
        phi, _ = descend(losses, start, sgd(self.inner_rate), None, self.inner_steps, order=2)
        given = None if network.mode == "batch" else statistics
        query = tasks.query_x
        if self.foe:
            query = self.foe.shown(_fixed(network, phi, tasks, statistics), query, tasks.query_y, rng)
        logits = head_logits(network, phi, per_task(network.body, {}, {}, query, given)[0])
        loss = self.counted(task_losses, logits, tasks.query_y).mean()
        loss.backward()
        network.follow(statistics)
        return self._once(tasks.support_y.numel(), tasks.query_y.numel()).stats(loss.item())

    @property
    def _fights_inside(self) -> bool:
        return bool(self.foe and self.foe.place == "both")

    def _once(self, support: int, query: int) -> Spent:
        step = support + query * (self.foe.copies if self.foe else 1)
        return Spent(step, step) + (self.foe.cost(query) if self.foe else NOTHING)

    def _of_a_step(self) -> Spent:
        """Every image once; with an adversary, what the attack takes too."""
        d = self.train
        return (
            super()._of_a_step()
            if self._fights_inside
            else self._once(*(d.tasks * d.way * n for n in (d.shot, d.query)))
        )


def _fixed(network: Network, phi: Params, tasks: Tasks, statistics: Statistics) -> TaskNetwork:
    """The learner as it is tested, without gradients for what it is made of."""
    shared, own = network.parts("head")[0], {k: p.detach() for k, p in phi.items()}
    given = {k: (mean.detach(), variance.detach()) for k, (mean, variance) in statistics.items()}
    mode = "batch" if network.mode == "batch" else "auto"
    return TaskNetwork(network, shared, own, mode, tasks.support_x, given, NoHead())
