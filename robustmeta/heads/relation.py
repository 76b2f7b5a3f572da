"""A learned comparison of a query with each class."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from robustmeta.core import Head
from robustmeta.functional.prototypes import lower_absent
from robustmeta.functional.relation import class_sums, pairs
from robustmeta.nets import ContextHead, Norm

Shape = tuple[int, int, int]


@dataclass(eq=False)
class Relations:
    """Logits are the scores of a query's pairs with all classes; a class without support stands below all others."""

    score: Callable[[Tensor], Tensor]
    shape: Shape
    classes: Float[Tensor, "T way D"]
    counts: Int[Tensor, "T way"]
    coupled: bool = False

    def __call__(self, z: Float[Tensor, "T Q D"]) -> Float[Tensor, "T Q way"]:
        """Logits of the queries."""
        scores = self.score(pairs(self.classes, z, self.shape))
        return lower_absent(scores.view(*z.shape[:2], self.classes.shape[1]), self.counts)

    def select(self, tasks: slice) -> "Relations":
        """The head of some of the tasks."""
        return Relations(self.score, self.shape, self.classes[tasks], self.counts[tasks])


def _bright(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that starts as the authors' do: with torch's own start all of a few ReLU units may be dead."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.ones_(layer.bias)
    return layer


class RelationHead(ContextHead):
    """The relation module: two blocks of convolution, then two linear layers (Sung et al. 2018, figure 2).

    ``shape`` (C, h, w) is that of a feature map. A block halves a map by max pooling unless a side has one pixel;
    convolutions on a map of one pixel have one pixel, others 3x3. Outside of training, and under every ``norm`` of the
    body, the module normalises with running averages.
    """

    def __init__(self, shape: Shape, width: int, hidden: int) -> None:
        super().__init__()
        self.shape = shape
        channels, size = 2 * shape[0], shape[1:]
        layers: list[nn.Module] = []
        for _ in range(2):
            side = 3 if max(size) > 1 else 1
            conv = nn.Conv2d(channels, width, side, padding=side // 2, bias=False)
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            layers += [conv, Norm(width), nn.ReLU()]
            if min(size) > 1:
                layers.append(nn.MaxPool2d(2))
                size = (size[0] // 2, size[1] // 2)
            channels = width
        linear = [_bright(width * size[0] * size[1], hidden), nn.ReLU(), _bright(hidden, 1)]
        self.score = nn.Sequential(*layers, nn.Flatten(), *linear)

    def fit(self, z: Tensor, y: Tensor, way: int) -> Head:
        """Class maps of (T, S, D): the sums of their supports'."""
        return Relations(self.score, self.shape, class_sums(z, y, way), F.one_hot(y, way).sum(1))
