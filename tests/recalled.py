"""Frozen networks that recall, beside the same asked anew, for tests and the faults that must turn them red."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from robustmeta.adaptations.prototypes import Prototypes
from robustmeta.attacks.square import Square
from robustmeta.backbones import recalling as home
from robustmeta.backbones.conv4 import Conv4
from robustmeta.backbones.frozen import frozen
from robustmeta.backbones.recalling import Recalling
from robustmeta.config.components import Backbone
from robustmeta.functional.recall import Recall
from robustmeta.nets import Network
from robustmeta.rng import Rng

KEYS = np.arange(4, dtype=np.uint64)


def trained(backbone: Backbone, size: int = 28, channels: int = 1) -> Network:
    """A network whose averages and scales are not where they started."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Network(backbone.build(size, channels)).double()
        for norm in net.norms.values():
            for value in (norm.weight, norm.bias, norm.running_mean):
                nn.init.normal_(value)
            nn.init.uniform_(norm.running_var, 0.1, 2)
    return net.eval()


class Watch:
    """Within it few images are worth windows too; ``windows`` counts those computed so, and ``whole`` the others."""

    def __init__(self) -> None:
        self.windows = self.whole = 0

    def __enter__(self) -> "Watch":
        self._honest = Recalling._window, Recalling._maps
        window, maps = self._honest

        def part(net: Recalling, x: Tensor, *given: object) -> Tensor:
            self.windows += len(x)
            return window(net, x, *given)  # type: ignore[arg-type]

        def asked(net: Recalling, memory: object, ids: Tensor, x: Tensor) -> Tensor:
            self.whole += len(x)
            return maps(net, memory, ids, x)  # type: ignore[arg-type]

        Recalling._window, Recalling._maps = part, asked  # type: ignore[method-assign]
        self._least, home.LEAST_PIXELS = home.LEAST_PIXELS, 0
        return self

    def __exit__(self, *error: object) -> None:
        Recalling._window, Recalling._maps = self._honest  # type: ignore[method-assign]
        home.LEAST_PIXELS = self._least
        self.whole -= self.windows


def changes(x: Tensor, side: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rising numbers of some images, and versions of these, each with a square of another value; corners first."""
    size = x.shape[-1] - side
    places = [(0, 0), (0, size), (size, 0), (size, size), (1, size // 2), (size // 2, 2)]
    for k in range(len(places)):
        ids = torch.tensor([i for i in range(len(x)) if (i + k) % 3])
        tried = x[ids]
        for row, i in enumerate(ids.tolist()):
            top, left = places[(i + k) % len(places)]
            tried[row, :, top : top + side, left : left + side] = 0.1 * (k + 1)
        yield ids, tried


def gap(backbone: Backbone, size: int, side: int, channels: int = 1) -> float:
    """The largest part by which outputs differ from those of a network asked anew, over squares of which some stay."""
    net = frozen(trained(backbone, size, channels))
    x = Rng(0, ("x",), KEYS).uniform(channels, size, size).double()
    recall, largest = Recall(len(x)), 0.0
    with Watch(), torch.no_grad():
        with recall.versions(torch.arange(len(x))):
            net(x)
        recall.keep(torch.arange(len(x)))
        for ids, tried in changes(x, side):
            with recall.versions(ids):
                found = net(tried)
            expected = net(tried)
            differs = (found - expected).abs().nan_to_num(torch.inf).max() / expected.abs().max()
            largest = max(largest, float(differs))
            stay = torch.arange(len(ids)) % 2 == 0
            x[ids[stay]] = tried[stay]
            recall.keep(ids[stay])
    return largest


def squared(eps: float = 0.2) -> tuple[Tensor, int]:
    """What Square makes of the queries of two tasks under prototypes, and how many images were computed in windows."""
    net, keys = trained(Conv4(width=4), 20, 1), np.arange(8, dtype=np.uint64).reshape(2, 4)
    images = Rng(1, ("tasks",), keys).uniform(1, 20, 20).double()
    y = torch.tensor([[0, 1, 2, 3]] * 2)
    classifier = Prototypes().adapt(net, images, y, 4, Rng(0, ("adapt",), [0, 1]))
    x = (images + 0.02 * Rng(2, ("noise",), keys).normal(1, 20, 20)).clamp(0, 1)
    with Watch() as watch:
        made = Square(queries=60).perturb(classifier, x, y, eps * 0.1, Rng(3, ("square",), keys))
    return made, watch.windows
