"""The mean feature of the source images, which some adaptations subtract."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robustmeta.config.components import Method
from robustmeta.core import Domain, to_float
from robustmeta.nets import Network
from robustmeta.rng import Rng
from robustmeta.study.evaluate import parts

MOST = 10_000
"""Of more images than that a part is taken, spread evenly over the classes."""


def centre_passes(method: Method, domain: Domain) -> int:
    """Images that ``set_centre`` sends forward."""
    return min(len(domain.labels), MOST) if method.traits.embeds else 0


def centre_rows(domain: Domain) -> NDArray[np.int64]:
    """The images that are averaged, in order: every k-th of them sorted by class and, in a class, by a keyed rank."""
    order = np.lexsort((Rng(0, ("centre",), domain.ids).bits(1)[:, 0], domain.labels.numpy()))
    count = min(len(order), MOST)
    return np.sort(order[np.arange(count) * len(order) // count])


def set_centre(net: nn.Module, method: Method, domain: Domain) -> None:
    """Write the mean feature, under the running statistics, to ``centre`` of a network whose method embeds."""
    if not (method.traits.embeds and isinstance(net, Network)):
        return
    rows, total = centre_rows(domain), torch.zeros(net.features, dtype=torch.float64)
    with torch.no_grad():
        for some in parts(rows, domain.images):
            total += net.body(to_float(domain.images[some])).double().sum(0)
    net.centre.copy_(total / len(rows))
