"""What MAML and its descendants share: a start that is trained through the steps taken from it."""

from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from robustmeta.adaptations.gradient import Gradient, at_test, spread, support_losses, whole, with_support_statistics
from robustmeta.config.components import Adaptation, Apart, Backbone, Diet
from robustmeta.core import Batch, Classifier, StepStats, Tasks, Traits
from robustmeta.functional.inner_loop import Params, descend, per_task, sgd, task_losses
from robustmeta.functional.normalise import Statistics
from robustmeta.functional.query_pass import query_gradients
from robustmeta.methods.adversary import NOTHING, Adversary, Spent, TaskLosses
from robustmeta.methods.training import Episodic, adam, expect
from robustmeta.nets import Layers, Mode, Network, as_network
from robustmeta.rng import Rng

Order = Literal[1, 2]
ALMOST_OVER = 1 - 1e-9
"""Progress of a training's last step, or near enough."""


class Descending(Episodic, ABC):
    """Weights from which ``inner_steps`` steps of −inner_rate · ∇L_support lead to weights φ that classify the query.

    The query is normalised with the statistics of the support under φ, under ``norm: batch`` with its own (no running
    averages are kept then: nothing reads them); in training ``support_plus_one`` is as ``auto``, and under ``per_step``
    every pass uses its own statistics, which the running ones of its step follow. Weights and biases of normalisation
    adapt as all others do.

    An adversary attacks the queries under the last φ, as the learner is tested (``support_plus_one`` as ``auto``);
    with ``place: both`` each inner step is taken on images that it has made of the support under the φ before it, which
    change no statistics of the query.
    """

    inner: ClassVar[bool] = True
    family: ClassVar[str] = "gradient-based"
    apart: ClassVar[Apart] = "always"
    traits: ClassVar[Traits] = Traits(fixed_way=True, equivariant=False, order_free=True, embeds=False)
    layers: ClassVar[Layers] = "all"

    train: Diet = Diet(way=5, shot=5, query=5, tasks=4)
    inner_steps: int = Field(default=1, ge=1, le=1000)
    inner_rate: float = Field(default=0.4, gt=0)
    rate: float = Field(default=3e-3, gt=0)

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> nn.Module:
        """A network with a head for ``train.way`` classes."""
        return Network(backbone.build(size, channels), self.train.way, inner_steps=self.inner_steps)

    def optimiser(self, net: nn.Module) -> torch.optim.Optimizer:
        """Adam."""
        return adam(net, self.rate)

    def order_at(self, progress: float) -> Order:
        """2 = the gradient by θ, through the inner steps; 1 = the gradient by φ, as if it were that by θ."""
        return 2

    def importance(self, progress: float) -> Sequence[float]:
        """What the query's loss counts after each inner step."""
        return [*[0.0] * (self.inner_steps - 1), 1.0]

    def update(self, network: Network) -> tuple[Callable[[Params, Params, Any], tuple[Params, Any]], Any]:
        """The law of an inner step, with the state that it starts from."""
        return sgd(self.inner_rate), None

    def recomputes(self) -> bool:
        """Whether inner steps are computed again where they are differentiated, which saves memory."""
        return False

    def backward(self, net: nn.Module, batch: Tasks | Batch, rng: Rng, progress: float = 0.0) -> StepStats:
        """The meta-gradient of the mean query loss over the tasks."""
        tasks, network = expect(batch, Tasks), as_network(net)
        seen: dict[int, Statistics] = {}
        order = self.order_at(progress)
        trail = self._trail(network, tasks, order, seen, rng)
        if self.foe:
            last_one = self._tested(network, trail[-1], tasks.support_x, self.inner_steps)
            tasks = replace(tasks, query_x=self.foe.shown(last_one, tasks.query_x, tasks.query_y, rng))
        counted = [(k, phi, w) for k, (phi, w) in enumerate(zip(trail, self.importance(progress), strict=True), 1) if w]
        value, ends, slopes, last = 0.0, list[Tensor](), list[Tensor](), Statistics()
        for k, phi, weight in counted:
            losses = partial(_query_losses, tasks, k, partial(self.counted, task_losses))
            scale = weight / len(tasks.query_y)
            loss, last, gradients = query_gradients(network, losses, phi, tasks.query_x, scale)
            value += weight * loss.mean().item()
            ends += phi.values()
            slopes += gradients.values()
        torch.autograd.backward(ends, slopes)
        for k, statistics in (seen | {self.inner_steps: last}).items():
            network.follow(statistics, step=k)
        images = tasks.support_y.numel(), tasks.query_y.numel()
        return self._spent(*images, len(counted), order, network.mode).stats(value)

    def _trail(
        self, network: Network, tasks: Tasks, order: Order, seen: dict[int, Statistics], rng: Rng
    ) -> list[Params]:
        """φ₁, φ₂, ... with a leading T, as functions of the network's parameters."""
        x, y = tasks.support_x, tasks.support_y
        per_step = network.mode == "per_step"
        losses = support_losses(network, {}, x, y, whole(y, self.inner_steps), seen=seen if per_step else None)
        if self.foe and self.foe.place == "both":
            losses = self._under_attack(self.foe, network, tasks, seen if per_step else None, rng)
        start = spread(dict(network.live_parts(self.layers)[1]), len(x))
        update, state = self.update(network)
        trail: list[Params] = []
        descend(losses, start, update, state, self.inner_steps, order, trail=trail, recompute=self.recomputes())
        return trail

    def _under_attack(
        self, foe: Adversary, network: Network, tasks: Tasks, seen: dict[int, Statistics] | None, rng: Rng
    ) -> Callable[[Params, int], Tensor]:
        """As ``support_losses``, on images that are made at step k under its parameters, once."""
        x, y = tasks.support_x, tasks.support_y
        made: dict[int, Tensor] = {}

        def losses(params: Params, k: int) -> Tensor:
            if k not in made:
                with torch.autograd.graph.saved_tensors_hooks(_as_it_is, _as_it_is):  # not those of ``recomputes``
                    made[k] = foe.perturb(self._tested(network, params, x, k), x, y, rng, "support", k)
            return support_losses(network, {}, made[k], y, whole(y, self.inner_steps), seen=seen)(params, k)

        return losses

    def _tested(self, network: Network, params: Params, support_x: Tensor, steps: int) -> Classifier:
        """The learner as it would be tested after so many steps, without gradients for what it is made of."""
        mode = "auto" if network.mode == "support_plus_one" else network.mode
        shared, own = network.parts(self.layers)[0], {k: p.detach() for k, p in params.items()}
        with torch.no_grad():
            return at_test(network, mode, shared, own, support_x, steps)

    def passes(self) -> int:
        """Every support image at each inner step, and with each query counted once more for its statistics.

        ``norm: batch`` and ``per_step`` save the passes for statistics. An attack takes the support's statistics once,
        and a pass of what it attacks for each of its steps.
        """
        return self._of_a_step().forward

    def gradient_passes(self) -> int:
        """The same passes; those of inner steps twice where the gradient is that through them."""
        return self._of_a_step().backward

    def _of_a_step(self) -> Spent:
        d, order = self.train, max(self.order_at(0.0), self.order_at(ALMOST_OVER))
        counted = sum(w > 0 for w in self.importance(0.0))
        return self._spent(d.tasks * d.way * d.shot, d.tasks * d.way * d.query, counted, order, "auto")

    def _spent(self, support: int, query: int, counted: int, order: int, mode: Mode) -> Spent:
        """What a step of so many images takes, of whose queries so many losses count."""
        inner, foe = support * self.inner_steps, self.foe
        last = counted * (query * (foe.copies if foe else 1) + support * (mode not in ("batch", "per_step")))
        backs = order - (self.layers == "head")  # a gradient by the head alone does not go through the backbone
        taken = [Spent(inner + last, inner * backs + last)]
        if foe:
            adapting = support * (mode != "per_step")
            taken += [foe.cost(query, adapting)]
            taken += [foe.cost(support, adapting, labelled=True)] * (self.inner_steps * (foe.place == "both"))
        return sum(taken, NOTHING)

    def adaptation(self) -> Adaptation:
        """The same inner steps."""
        return Gradient(steps=self.inner_steps, rate=self.inner_rate, layers=self.layers)


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _query_losses(
    tasks: Tasks, step: int, losses: TaskLosses, net: nn.Module, params: Params, rows: slice
) -> tuple[Tensor, Statistics]:
    """The query losses of some tasks under their parameters after so many steps, and what the averages follow."""
    network, x, y = as_network(net), tasks.query_x[rows], tasks.query_y[rows]
    if network.mode in ("batch", "per_step"):
        record = network.mode == "per_step"
        logits, statistics = per_task(network, {}, params, x, record=record, step=step)
        return losses(logits, y), statistics
    classifier = with_support_statistics(network, "auto", {}, params, tasks.support_x[rows])
    return losses(classifier(x), y), classifier.given
