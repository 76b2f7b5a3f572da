"""Sequences of held-out source classes, in which a learner guesses every label before it is shown."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from robustmeta.adaptations.in_context import InContext
from robustmeta.core import Domain, TaskShape, sample
from robustmeta.heads.reading import SequenceHead
from robustmeta.metrics.instances import instance
from robustmeta.nets import Network
from robustmeta.study.evaluate import Embeddings

INSTANCES = 10
"""Images of each class in a sequence, unless the domain has fewer."""


def by_instance(net: nn.Module, domain: Domain, sequences: int, seed: int) -> pd.DataFrame | None:
    """Accuracy at the k-th image of a class: a row for each k with columns ``instance`` and ``accuracy``.

    None for a network whose head does not read images one by one. The features of an image must depend on it alone.
    """
    if not isinstance(net, Network) or not isinstance(net.head, SequenceHead):
        return None
    way = net.head.way
    sizes = np.sort(np.bincount(domain.labels.numpy(), minlength=len(domain.classes)))
    shape = TaskShape(way, min(INSTANCES, int(sizes[-way])), 0)
    episodes = sample(domain, shape, seed, 0, sequences, "sequence")
    features = Embeddings(net, InContext(), episodes.rows(), {}).of(domain.images, lambda _: None)
    with torch.no_grad():
        guesses = net.head.guesses(features[episodes.support], episodes.support_y).argmax(-1)
    right = (guesses == episodes.support_y).double()
    which = instance(episodes.support_y, way)
    accuracy = [float(right[which == k].mean()) for k in range(1, shape.shot + 1)]
    return pd.DataFrame({"instance": range(1, shape.shot + 1), "accuracy": accuracy})
