"""Conditional neural processes for classes (Garnelo et al. 2018, section 4.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustmeta.functional.labelled import standard
from robustmeta.functional.prototypes import prototypes
from robustmeta.heads.reading import ReadingHead, Remembered


class Cnp(ReadingHead):
    """An encoder of (features, label), means over classes, and a decoder of a query with the means of all classes.

        r_k = mean of h(z, y) over the support of class k
        a_k = ReLU(A z + B r_k + b),   logits = V [a_1 ... a_way] + c

    with z and every r_k standardised. h has one hidden layer of ``units``; r_k and a_k have as many numbers; r_k = 0
    where class k has no support. The means stand side by side, so the number of classes and their order are fixed.

    A and B are those of every class, and V starts with the same row of weights for each class on its own a_k and zeros
    elsewhere: the query is compared with one mean at a time. In a layer that sees all means at once, each is noise to
    the comparison with another, and with 20 classes none is found.
    """

    def __init__(self, features: int, way: int, units: int) -> None:
        super().__init__(way)
        self.encoder = nn.Sequential(nn.Linear(features + way, units), nn.ReLU(), nn.Linear(units, units))
        self.query, self.mean = nn.Linear(features, units), nn.Linear(units, units, bias=False)
        self.decoder = nn.Linear(way * units, way)
        with torch.no_grad():
            row = nn.Linear(units, 1).weight
            self.decoder.weight.copy_(torch.block_diag(*[row] * way))
            self.decoder.bias.zero_()

    def read(self, z: Tensor, y: Tensor) -> Remembered:
        """The means of all classes, (T, way, units)."""
        means, _ = prototypes(self.encoder(torch.cat([standard(z), self.shown(z, y)], -1)), y, self.way)
        return (standard(means),)

    def answer(self, z: Tensor, remembered: Remembered) -> Tensor:
        """The decoder."""
        (means,) = remembered
        compared = F.relu(self.query(standard(z))[:, :, None] + self.mean(means)[:, None])
        return self.decoder(compared.flatten(2))
