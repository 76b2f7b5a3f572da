"""Small tasks and networks to try learners on."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from robustmeta.config.components import Adaptation, Backbone
from robustmeta.core import Classifier, Tasks, copy_state
from robustmeta.functional.inner_loop import forced
from robustmeta.nets import Norm
from robustmeta.rng import Rng
from robustmeta.testing.finding import Wrong

SIZE, WIDTH, CLASSES = 16, 4, 5


class Body(nn.Module):
    """Two convolutions with normalisation, to one row of features; counts the images it sees in ``seen``."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [
            (nn.Conv2d(c, WIDTH, 3, 2, 1, bias=False), Norm(WIDTH), nn.ReLU(), nn.AvgPool2d(2)) for c in (1, WIDTH)
        ]
        self.layers = nn.Sequential(*blocks[0], *blocks[1], nn.Flatten())
        self.features = WIDTH
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 16, 16) -> (N, 4)."""
        self.seen += len(x)
        return self.layers(x)


class SmallBackbone(Backbone):
    """``Body`` as a backbone; it is not registered."""

    name = "small"

    def build(self, size: int, channels: int) -> nn.Module:
        """A body for 16 x 16 gray images."""
        return Body()

    def alone(self) -> bool:
        """True: running statistics."""
        return True


def made_tasks(count: int, way: int, shot: int, query: int) -> Tasks:
    """Tasks of noisy patterns in random order; the same for the same arguments."""
    rng = Rng(7, ("made",), np.arange(count, dtype=np.uint64))
    patterns = rng.uniform(way, 1, 4, 4).repeat_interleave(4, -1).repeat_interleave(4, -2)

    def part(images: int) -> tuple[Tensor, Tensor]:
        y = torch.arange(way).repeat_interleave(images)[rng.permutation(way * images)]
        return patterns[torch.arange(count)[:, None], y] * 0.7 + 0.3 * rng.uniform(way * images, 1, SIZE, SIZE), y

    return Tasks(*part(shot), *part(query), way)


def adapted(adaptation: Adaptation, net: nn.Module, tasks: Tasks) -> Classifier:
    """An adaptation on the supports of tasks, with a key a task."""
    rng = Rng(3, ("check",), np.arange(len(tasks.support_y), dtype=np.uint64))
    return adaptation.adapt(net, tasks.support_x, tasks.support_y, tasks.way, rng)


def logits(adaptation: Adaptation, net: nn.Module, tasks: Tasks) -> Tensor:
    """Those of the queries of tasks."""
    with torch.no_grad():
        return adapted(adaptation, net, tasks)(tasks.query_x)


@dataclass
class Watch:
    """What must not change while something of somebody else's runs: a network and the global random state."""

    net: nn.Module
    state: dict[str, Tensor] = field(init=False)
    random: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.state, self.random = copy_state(self.net), torch.get_rng_state()

    def verify(self) -> None:
        """Raises Wrong where something has."""
        changed = [k for k, v in self.net.state_dict().items() if not torch.equal(v, self.state[k])]
        if changed:
            raise Wrong(f"it changes the network: {', '.join(changed[:3])}")
        if not torch.equal(torch.get_rng_state(), self.random):
            raise Wrong("it draws from torch's global generator; draw from rng")


def images_seen(net: nn.Module, work: Callable[[], object]) -> int:
    """Images that pass through the body while ``work`` runs, every pass a loop over tasks."""
    bodies = [m for m in net.modules() if isinstance(m, Body)]
    before = sum(b.seen for b in bodies)
    with forced(batched=False):
        work()
    return sum(b.seen for b in bodies) - before
