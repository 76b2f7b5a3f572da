"""What attacks by gradient share: the way up the loss, and the worst query seen on it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustmeta.core import CellError, Classifier


@dataclass(frozen=True, eq=False)
class Seen:
    """Queries (T, Q, C, H, W) that a classifier has seen: which it got wrong, and the loss of each."""

    x: Float[Tensor, "T Q C H W"]
    wrong: Bool[Tensor, "T Q"]
    loss: Float[Tensor, "T Q"]


def look(classifier: Classifier, x: Tensor, y: Int[Tensor, "T Q"]) -> Seen:
    """One forward pass without gradients."""
    with torch.no_grad():
        return _seen(classifier(x), x, y)[0]


def climb(classifier: Classifier, x: Tensor, y: Int[Tensor, "T Q"]) -> tuple[Seen, Float[Tensor, "T Q C H W"]]:
    """One forward and backward pass: what was seen, and ∇ₓ Σ cross-entropy. Only x gets gradients.

    The sum makes the gradient of a query its own, whatever the number of queries.

    Raises:
        CellError: the classifier is not differentiable in x, or the gradient is not finite.
    """
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        seen, loss = _seen(classifier(leaf), x, y)
        if not loss.requires_grad:
            raise CellError("the classifier is not differentiable in its input: a gradient attack would do nothing")
        (gradient,) = torch.autograd.grad(loss, leaf)
    if not torch.isfinite(gradient).all():
        raise CellError("the gradient of the loss by the query is not finite; the classifier diverged")
    return seen, gradient


def _seen(logits: Float[Tensor, "T Q way"], x: Tensor, y: Tensor) -> tuple[Seen, Float[Tensor, ""]]:
    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").unflatten(0, y.shape)
    return Seen(x, logits.argmax(-1) != y, loss.detach()), loss.sum()


def worse(a: Seen, b: Seen, *, coupled: bool) -> Seen:
    """The worse of two for each query: wrong before right, then the higher loss; a where they are equal.

    The queries of a coupled classifier decide together: it is judged by how many of a task are wrong, then by their
    summed loss, because a mixture of two query sets is a third one that it has not seen.
    """
    wrong_a, wrong_b, loss_a, loss_b = a.wrong.long(), b.wrong.long(), a.loss, b.loss
    if coupled:
        wrong_a, wrong_b, loss_a, loss_b = (v.sum(1, keepdim=True) for v in (wrong_a, wrong_b, loss_a, loss_b))
    take = ((wrong_b > wrong_a) | ((wrong_b == wrong_a) & (loss_b > loss_a))).expand_as(a.loss)
    x = torch.where(take[..., None, None, None], b.x, a.x)
    return Seen(x, b.wrong.where(take, a.wrong), b.loss.where(take, a.loss))
