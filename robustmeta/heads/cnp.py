"""Conditional neural processes for classes (Garnelo et al. 2018, section 4.3)."""

import torch
from torch import Tensor, nn

from robustmeta.functional.labelled import labelled, standard
from robustmeta.functional.prototypes import prototypes
from robustmeta.heads.reading import ReadingHead, Remembered


class Cnp(ReadingHead):
    """An encoder of (features, label), means over classes, and a decoder of a query with the means of all classes.

        r_k = mean of h(z, y) over the support of class k;   logits = g(z, r_1, ..., r_way)

    h and g have one hidden layer of ``units``, and r_k has as many numbers; r_k = 0 where class k has no support. The
    means stand side by side, so the number of classes and their order are fixed.
    """

    def __init__(self, features: int, way: int, units: int) -> None:
        super().__init__(way)
        self.encoder = nn.Sequential(nn.Linear(features + way, units), nn.ReLU(), nn.Linear(units, units))
        self.decoder = nn.Sequential(nn.Linear(features + way * units, units), nn.ReLU(), nn.Linear(units, way))

    def read(self, z: Tensor, y: Tensor) -> Remembered:
        """The means of all classes side by side, (T, way * units)."""
        means, _ = prototypes(self.encoder(labelled(z, self.shown(z, y))), y, self.way)
        return (means.flatten(1),)

    def answer(self, z: Tensor, remembered: Remembered) -> Tensor:
        """The decoder."""
        (means,) = remembered
        return self.decoder(torch.cat([standard(z), means[:, None].expand(-1, z.shape[1], -1)], -1))
