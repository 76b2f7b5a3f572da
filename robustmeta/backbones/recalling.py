"""A frozen chain of convolutions that computes anew only what a small change of the image reaches."""

from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robustmeta.functional.recall import Memory, asked
from robustmeta.functional.windows import Step, Window, changed, trace
from robustmeta.nets import Conv, InPlaceReLU

LOCAL = 2
"""Convolutions at the start of which windows are computed; behind more of them a small change is nearly everywhere."""
LARGEST = 0.5
"""Share of an image that is worth computing as a window."""
LEAST_PIXELS = 40 * 28**2
"""Pixels of a question below which the calls for windows cost more than the maps that they save."""
ZERO = torch.zeros(1, dtype=torch.long)


class Recalling(nn.Module):
    """A chain whose first layers, asked without a graph in a ``Recall``, are computed in windows around what changed.

    A version that differs from the image that is remembered in a small window has the remembered maps elsewhere: the
    outputs are the same to rounding.
    """

    def __init__(self, before: list[nn.Module], after: list[nn.Module]) -> None:
        super().__init__()
        self.before, self.after = nn.Sequential(*before), nn.Sequential(*after)
        self.steps = [_steps(layer) for layer in before]

    def forward(self, x: Float[Tensor, "N C H W"]) -> Tensor:
        """What the chain gives."""
        question = asked()
        if question is None or torch.is_grad_enabled() or x[:, 0].numel() < LEAST_PIXELS or len(question[1]) != len(x):
            return self.after(self.before(x))
        recall, ids = question
        memory = recall.of(self) or recall.begin(self, x, self._shape(x))
        return self.after(self._maps(memory, ids, x) if len(memory.images) else self.before(x))

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        convolutions = [layer for layer in self.before if isinstance(layer, Conv)]
        last = (trace(Window(ZERO, 1, x.shape[2 + axis]), self._along(axis))[-1].size for axis in (0, 1))
        return (*last, convolutions[-1].out_channels)

    def _along(self, axis: int) -> list[Step]:
        return [step[axis] for step in self.steps if step]

    def _maps(self, memory: Memory, ids: Tensor, x: Tensor) -> Tensor:
        differs = (x != memory.images[ids]).any(1)
        windows = [trace(changed(differs.any(2 - axis)), self._along(axis)) for axis in (0, 1)]
        if windows[0][0].length * windows[1][0].length > LARGEST * x.shape[2] * x.shape[3]:
            maps = self.before(x).permute(0, 2, 3, 1)
        else:
            maps = memory.maps.index_select(0, ids)
            maps[_places(windows[0][-1], windows[1][-1])] = self._window(x, *windows).permute(0, 2, 3, 1)
        memory.last.append((ids, x, maps))
        return maps.permute(0, 3, 1, 2)

    def _window(self, x: Tensor, down: list[Window], right: list[Window]) -> Tensor:
        """The maps in the last windows, of the image in the first."""
        here = zip(down, right, strict=True)
        part = x.permute(0, 2, 3, 1)[_places(down[0], right[0])].permute(0, 3, 1, 2)
        for layer, step in zip(self.before, self.steps, strict=True):
            if not step:
                part = layer(part)
                continue
            rows, columns = next(here)
            if isinstance(layer, Conv):
                inside = rows.there()[:, None, :, None] & columns.there()[:, None, None, :]
                part = F.conv2d(part * inside, layer.weight, layer.bias, layer.sides[0])  # zeros around the map
            else:
                part = layer(part)
        return part


def _places(down: Window, right: Window) -> tuple[Tensor, Tensor, Tensor]:
    """The indices of windows of (N, H, W, C)."""
    return torch.arange(len(down.start))[:, None, None], down.cells()[:, :, None], right.cells()[:, None, :]


def _steps(layer: nn.Module) -> tuple[Step, ...] | None:
    """Of a layer that is a kernel, along either axis."""
    if isinstance(layer, Conv):
        return tuple(zip(cast("tuple[int, int]", layer.kernel_size), *layer.sides, strict=True))
    if isinstance(layer, nn.MaxPool2d):
        side = cast("int", layer.kernel_size)
        return ((side, side, 0),) * 2
    return None


def recalling(body: nn.Module) -> nn.Module:
    """The body, as one that recalls if it is a chain that starts with enough convolutions, else itself."""
    leaves = list(_leaves(body))
    places = [i for i, layer in enumerate(leaves) if isinstance(layer, Conv)]
    if len(places) <= LOCAL:
        return body
    before, after = leaves[: places[LOCAL]], leaves[places[LOCAL] :]
    return Recalling(before, after) if all(map(_is_local, before)) else body


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a row of rows in their order."""
    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        yield module
        return
    for child in module:
        yield from _leaves(child)


def _is_local(layer: nn.Module) -> bool:
    """Whether what it gives in a window depends on its input in a window alone, of which ``_steps`` tells."""
    if isinstance(layer, nn.MaxPool2d):
        facts = (layer.stride, layer.padding, layer.dilation, layer.ceil_mode)
        return isinstance(layer.kernel_size, int) and facts == (layer.kernel_size, 0, 1, False)
    return isinstance(layer, Conv | InPlaceReLU | nn.ReLU | nn.Identity)
