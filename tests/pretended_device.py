"""A GPU that there is none of: tensors "on" it compute as on the CPU, but refuse what a GPU's tensors refuse.

NumPy cannot read them before ``.cpu()``, they do not mix with tensors of the CPU (numbers and indices aside), and going
from one to the other is a copy. It holds in one thread; those of ``over_rows`` do not see it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

GPU, CPU = torch.device("cuda:0"), torch.device("cpu")
NUMPY = (Tensor.numpy, Tensor.__array__)
MOVES = (Tensor.to, Tensor.cpu, Tensor.copy_, Tensor.type_as)
INDEXING = (Tensor.__getitem__, Tensor.__setitem__)


class There(Tensor):
    """A tensor on the pretended GPU; only a mark."""

    __torch_function__ = torch._C._disabled_torch_function_impl


class PretendedGpu(TorchFunctionMode):
    """While it is active, ``x.to(GPU)`` is on it, and so is all that is made of it."""

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [v for v in tree_leaves((args, kwargs)) if isinstance(v, Tensor)]
        here = GPU if any(isinstance(t, There) for t in tensors) else CPU
        if here == GPU and func == Tensor.device.__get__:  # type: ignore[attr-defined]
            return GPU
        if here == GPU and func in NUMPY:
            raise TypeError("can't convert a tensor of a GPU to numpy; use Tensor.cpu() first")
        if func not in MOVES:
            _no_mixture(func, args, tensors)
        goal = _goal(func, args, kwargs, here)
        local_args, local_kwargs = tree_map(lambda v: CPU if _device(v) else v, (list(args), kwargs))
        made = func(*local_args, **local_kwargs)
        if func in MOVES and func != Tensor.copy_ and goal != _where(args[0]):
            made = made.clone()
        mark = There if goal == GPU else Tensor
        return tree_map(lambda v: v.as_subclass(mark) if isinstance(v, Tensor) else v, made)


def _where(x: Tensor) -> torch.device:
    return GPU if isinstance(x, There) else CPU


def _device(value: Any) -> torch.device | None:
    """The device that an argument names."""
    if isinstance(value, str) and value.split(":")[0] in ("cpu", "cuda"):
        return torch.device(value)
    return value if isinstance(value, torch.device) else None


def _goal(func: Any, args: Sequence[Any], kwargs: dict[str, Any], here: torch.device) -> torch.device:
    """Where the result lies."""
    if func in (Tensor.cpu, Tensor.copy_):
        return CPU if func == Tensor.cpu else _where(args[0])
    if func in (Tensor.to, Tensor.type_as) and isinstance(args[1], Tensor):
        return _where(args[1])
    named = [d for v in tree_leaves((list(args), kwargs)) if (d := _device(v))]
    return (GPU if named[0].type == "cuda" else CPU) if named else here


def _no_mixture(func: Any, args: Sequence[Any], tensors: Sequence[Tensor]) -> None:
    if func in INDEXING:
        indices = tree_leaves(args[1])
        wrong = not isinstance(args[0], There) and any(isinstance(i, There) for i in indices)
    else:
        wrong = len({type(t) is There for t in tensors if t.ndim}) > 1
    if wrong:
        name = getattr(func, "__name__", func)
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, got cuda:0 and cpu")
