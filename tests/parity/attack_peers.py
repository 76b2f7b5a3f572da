"""The published attacks of torchattacks 3.5.1 and foolbox 3.3.4, made to run on today's libraries.

Nothing of them is copied: they are imported where they are installed. torchattacks warns on import of a SciPy name
that has moved; its attacks want modules on images (N, C, H, W) in contiguous memory.
"""

import copy
import warnings
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import nn

NAMES = {"linf": "Linf", "l2": "L2"}


@cache
def torchattacks() -> ModuleType:
    """The package.

    Raises:
        ImportError: it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import torchattacks

    return torchattacks


def contiguous(net: nn.Module) -> nn.Module:
    """A copy in evaluation mode and contiguous memory."""
    return copy.deepcopy(net).to(memory_format=torch.contiguous_format).eval()


def peer_pgd(net: nn.Module, eps: float, steps: int, *, norm: str = "linf", random_start: bool = True) -> Any:
    """PGD with a quarter of eps a step."""
    made = {"linf": torchattacks().PGD, "l2": torchattacks().PGDL2}[norm]
    return made(net, eps=eps, alpha=eps / 4, steps=steps, random_start=random_start)


def peer_members(net: nn.Module, norm: str, eps: float, steps: int, queries: int, way: int) -> dict[str, Any]:
    """The four attacks of the ensemble, with budgets that its own ensemble does not pass on."""
    ta, given = torchattacks(), {"norm": NAMES[norm], "eps": eps, "seed": 0, "n_restarts": 1}
    return {
        "apgd": ta.APGD(net, **given, steps=steps, loss="ce"),
        "apgd_t": ta.APGDT(net, **given, steps=steps, n_classes=way),
        "fab": ta.FAB(net, **given, steps=steps, multi_targeted=True, n_classes=way),
        "square": ta.Square(net, **given, n_queries=queries),
    }


def peer_ensemble(net: nn.Module, norm: str, eps: float, steps: int, queries: int, way: int) -> Any:
    """The four in order, on what the ones before have left."""
    return torchattacks().MultiAttack(list(peer_members(net, norm, eps, steps, queries, way).values()))
