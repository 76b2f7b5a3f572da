"""What attacks climb: functions of logits that grow as a query is pushed out of its class. All are (N,)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

Logits = Float[Tensor, "N way"]
Values = Float[Tensor, " N"]
Loss = Callable[[Logits, Tensor], Values]
"""(logits, labels (N,)) or, where a target is named, (logits, labels and targets (N, 2))."""

TINY = 1e-12


def cross_entropy(z: Logits, y: Int[Tensor, " N"]) -> Values:
    """−log softmax(z)_y."""
    return F.cross_entropy(z, y, reduction="none")


def margin(z: Logits, y: Int[Tensor, " N"]) -> Values:
    """max_{i≠y} z_i − z_y: positive where the query is wrong."""
    others = z.scatter(-1, y[:, None], -torch.inf)
    return others.amax(-1) - _at(z, y)


def dlr(z: Logits, y: Int[Tensor, " N"]) -> Values:
    """The difference of logits ratio, −(z_y − max_{i≠y} z_i) / (z_π1 − z_π3), with z_π1 ≥ z_π2 ≥ … (way ≥ 3).

    Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness with an Ensemble.
    """
    top = z.topk(3).values
    return margin(z, y) / (top[:, 0] - top[:, 2] + TINY)


def targeted_dlr(z: Logits, aim: Int[Tensor, "N 2"]) -> Values:
    """−(z_y − z_t) / (z_π1 − (z_π3 + z_π4) / 2) for aims (y, t) (way ≥ 4). The same paper."""
    top = z.topk(4).values
    return difference(z, aim) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + TINY)


def difference(z: Logits, aim: Int[Tensor, "N 2"]) -> Values:
    """z_t − z_y for aims (y, t)."""
    return _at(z, aim[:, 1]) - _at(z, aim[:, 0])


def rivals(z: Logits, y: Int[Tensor, " N"]) -> Int[Tensor, "N way-1"]:
    """The other classes than y, the likeliest first."""
    return z.scatter(-1, y[:, None], -torch.inf).sort(dim=-1, descending=True, stable=True).indices[:, :-1]


def _at(z: Logits, classes: Int[Tensor, " N"]) -> Values:
    return z.gather(-1, classes[:, None])[:, 0]
