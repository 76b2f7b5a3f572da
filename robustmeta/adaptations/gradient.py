"""Gradient steps on the support from a learned start."""

from collections.abc import Callable
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from robustmeta.adaptations.classifier import NoHead, TaskNetwork
from robustmeta.config.components import Adaptation, component
from robustmeta.core import Classifier, StudyError, TaskShape
from robustmeta.functional.inner_loop import (
    Params,
    adam,
    descend,
    leaves,
    minibatches,
    order_in,
    per_task,
    sgd,
    sgd_at,
    task_losses,
    tracking,
)
from robustmeta.functional.normalise import Statistics
from robustmeta.nets import Layers, Mode, Network, as_network
from robustmeta.rng import Rng


def spread(params: Params, tasks: int) -> Params:
    """The same start for every task, with a leading T."""
    return {k: p.unsqueeze(0).expand(tasks, *p.shape) for k, p in params.items()}


def support_losses(
    net: nn.Module,
    shared: Params,
    x: Tensor,
    y: Tensor,
    rows: Tensor,
    *,
    running: bool = False,
    seen: dict[int, Statistics] | None = None,
) -> Callable[[Params, int], Tensor]:
    """(params, k) -> each task's mean loss on the rows (T, steps, B) of its support at step k.

    Normalised with the rows' own statistics, which ``seen`` gets at k if given, or with step k's ``running`` ones.
    """
    task = torch.arange(len(x))[:, None]

    def losses(params: Params, k: int) -> Tensor:
        images = x[task, rows[:, k]]
        logits, tape = per_task(net, shared, params, images, record=seen is not None, running=running, step=k)
        if seen is not None:
            seen[k] = tape
        return task_losses(logits, y[task, rows[:, k]])

    return losses


def features(network: Network, x: Tensor) -> tuple[Tensor, Statistics]:
    """Each task's features (T, N, D) under the body's own parameters and its images' statistics, and these."""
    return per_task(network.body, {}, {}, x, record=True)


def head_losses(network: Network, z: Tensor, y: Tensor) -> Callable[[Params, int], Tensor]:
    """(the head's params, k) -> each task's mean loss on features (T, S, D)."""

    def losses(params: Params, k: int) -> Tensor:
        return task_losses(head_logits(network, params, z), y)

    return losses


def head_logits(network: Network, params: Params, z: Tensor) -> Tensor:
    """Logits of features (T, N, D) under each task's parameters of the head, by their names in the network."""
    own = {k.removeprefix("head."): p for k, p in params.items()}
    return per_task(network.head, {}, own, z, batched=True)[0]


def with_support_statistics(net: nn.Module, mode: Mode, shared: Params, own: Params, support_x: Tensor) -> TaskNetwork:
    """The classifier of adapted parameters: one more pass over the support takes the statistics under them."""
    _, given = per_task(net, shared, own, support_x, record=True)
    return TaskNetwork(net, shared, own, mode, support_x, given, NoHead())


def at_test(network: Network, mode: Mode, shared: Params, own: Params, support_x: Tensor, steps: int) -> TaskNetwork:
    """The classifier of parameters that so many inner steps have led to, normalised as test tasks are."""
    if mode == "per_step":
        return TaskNetwork(network, shared, own, "per_step", support_x, {}, NoHead(), steps)
    return with_support_statistics(network, mode, shared, own, support_x)


@component("gradient", paper="Finn et al. 2017, Model-Agnostic Meta-Learning, algorithm 2")
class Gradient(Adaptation):
    """``steps`` steps of ``rate`` on the mean loss over the support, from the network's own weights and head.

    Fields: rate, a number, or ``learned`` for the rates that the network has learnt (Meta-SGD's and MAML++'s; steps
    beyond those of training use the last one's); layers, which part adapts (``head`` is ANIL's choice, ``body``
    BOIL's); optimiser, ``sgd``, or ``adam`` without momentum, which starts from the second moments that the network
    carries (Reptile's) and needs a number for its rate; batch, images of a mini-batch (0 = the
    whole support), drawn in passes without replacement. Batch normalisation uses a mini-batch's statistics in each step
    and the whole support's for the query, unless the backbone's ``norm`` says otherwise; under ``per_step`` steps
    beyond those of training use what the last of these has learnt.
    """

    steps: int = Field(default=5, ge=0, le=10_000)
    rate: Annotated[float, Field(gt=0)] | Literal["learned"] = 0.1
    layers: Layers = "all"
    optimiser: Literal["sgd", "adam"] = "sgd"
    batch: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        if self.rate == "learned" and self.optimiser == "adam":
            raise ValueError("learned rates are those of plain steps: expected optimiser sgd, or a number for rate")
        return self

    def adapt(self, net: nn.Module, support_x: Tensor, support_y: Tensor, way: int, rng: Rng) -> Classifier:
        """Adapt to T tasks side by side.

        Raises:
            StudyError: the network's head is not for ``way`` classes, or it has not learnt the rates asked for.
        """
        network = as_network(net)
        if network.way != way:
            has = f"a head for {network.way} classes" if network.way else "no head"
            raise StudyError(
                f"gradient starts from the network's head and was given {way}-way tasks; the network has {has}: "
                f"train it with way {way}, or adapt by lp_ft, linear_probe or prototypes"
            )
        shared, start = network.parts(self.layers)
        if self.rate == "learned" and not start.keys() <= network.rates_at(0).keys():
            raise StudyError(
                f"gradient with rate learned: this network has learnt no rates for its {self.layers} layers; give rate "
                "a number, or train it by meta_sgd or mamlpp"
            )
        if self._features_stay(network):
            return self._head_alone(network, start, support_x, support_y)
        tasks, images = support_y.shape
        rows = minibatches(rng, images, self.batch, self.steps) if self.batch else whole(support_y, self.steps)
        per_step = network.mode == "per_step"
        losses = support_losses(net, shared, support_x, support_y, rows, running=per_step)
        with tracking(support_x):
            own = self._descend(network, losses, spread(start, tasks), support_x)
            return at_test(network, network.mode, shared, own, support_x, self.steps)

    def _features_stay(self, network: Network) -> bool:
        """Whether all steps see the same features of the same images."""
        return self.layers == "head" and not self.batch and network.mode != "per_step"

    def _head_alone(self, network: Network, start: Params, x: Tensor, y: Tensor) -> TaskNetwork:
        with tracking(x):
            shared, _ = network.parts("head")
            z, given = features(network, x)
            own = self._descend(network, head_losses(network, z, y), spread(start, len(x)), x)
            return TaskNetwork(network, shared, own, network.mode, x, given, NoHead())

    def _descend(self, network: Network, losses: Callable[[Params, int], Tensor], start: Params, x: Tensor) -> Params:
        order = order_in(x)
        start = leaves(start, order)
        if self.rate == "learned":
            return descend(losses, start, sgd_at(network.rates_at), 0, self.steps, order)[0]
        if self.optimiser == "sgd":
            return descend(losses, start, sgd(self.rate), None, self.steps, order)[0]
        second, updates = network.adam_state()
        state = ({k: second[k].expand_as(p) for k, p in start.items()}, updates)
        return descend(losses, start, adam(self.rate), state, self.steps, order)[0]

    def passes(self, shape: TaskShape, tasks: int) -> int:
        """The mini-batches, and the support once more for its statistics (which ``norm: per_step`` saves).

        Where the head alone adapts to the whole support, its images pass once.
        """
        images = shape.way * shape.shot
        if self.layers == "head" and not self.batch:
            return tasks * images
        return tasks * (self.steps * min(self.batch or images, images) + images)


def whole(support_y: Tensor, steps: int) -> Tensor:
    """Rows (T, steps, S) that take the whole support at every step."""
    tasks, images = support_y.shape
    return torch.arange(images).expand(tasks, steps, images)
