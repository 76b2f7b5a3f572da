"""The way up a loss, through a classifier whose weights get no gradients."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustmeta.core import CellError, Classifier
from robustmeta.functional.margins import Loss, cross_entropy


class Climb(NamedTuple):
    """What a pass forth and back has seen."""

    logits: Float[Tensor, "*n way"]
    gradient: Float[Tensor, "*n C H W"]
    value: Float[Tensor, "*n"]


def climb(
    classifier: Classifier, x: Float[Tensor, "T Q C H W"], aim: Int[Tensor, "T Q ..."], loss: Loss = cross_entropy
) -> Climb:
    """One forward and one backward pass: logits, ∇ₓ Σ loss and the losses. Only x gets gradients.

    The sum makes the gradient of a query its own, whatever the number of queries. ``aim`` is what the loss wants:
    labels, or labels and targets.

    Raises:
        CellError: the classifier is not differentiable in x, or the gradient is not finite.
    """
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        logits = classifier(leaf)
        value = loss(logits.flatten(0, 1), aim.flatten(0, 1))
        _differentiable(value)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return Climb(logits.detach(), _finite(gradient), value.detach().unflatten(0, x.shape[:2]))


class Slopes(NamedTuple):
    """Logits, and for each of K classes of a query how its logit stands to that of the own class, and the gradient."""

    logits: Float[Tensor, "*n way"]
    gradient: Float[Tensor, "*n K C H W"]
    value: Float[Tensor, "*n K"]


def slopes(
    classifier: Classifier, x: Float[Tensor, "T Q C H W"], y: Int[Tensor, "T Q"], others: Int[Tensor, "T Q K"]
) -> Slopes:
    """One forward and K backward passes: z_k − z_y and ∇ₓ Σ (z_k − z_y) for each class k of ``others``.

    Raises:
        CellError: as ``climb``.
    """
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        logits = classifier(leaf)
        value = logits.gather(-1, others) - logits.gather(-1, y[..., None])
        _differentiable(value)
        sums = value.sum((0, 1)).unbind()
        gradients = [torch.autograd.grad(s, leaf, retain_graph=s is not sums[-1])[0] for s in sums]
    return Slopes(logits.detach(), _finite(torch.stack(gradients, 2)), value.detach())


def _differentiable(value: Tensor) -> None:
    if not value.requires_grad:
        raise CellError("the classifier is not differentiable in its input: a gradient attack would do nothing")


def _finite(gradient: Tensor) -> Tensor:
    if gradient.numel() and not torch.stack(torch.aminmax(gradient)).isfinite().all():  # in one pass; NaN is either
        raise CellError("the gradient of the loss by the query is not finite; the classifier diverged")
    return gradient
