"""Networks: built with their own seed, stored and loaded as plain tensors."""

import torch
from torch import nn

from robustmeta.config.components import Backbone, Method
from robustmeta.config.study import Canvas, Learner, Study
from robustmeta.rng import hash64
from robustmeta.store.cells import Store, StoreError


def build(study: Study, learner: Learner, seed: int, classes: int) -> nn.Module:
    """The untrained network of a learner; the global random state is left as it was."""
    return _made(learner.method, study.backbone, study.images, seed, classes)


def _made(method: Method, backbone: Backbone, canvas: Canvas, seed: int, classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hash64("init", seed) % 2**31)
        net = method.build(backbone, canvas.size, canvas.channels, classes)
    return net.eval()


def load(study: Study, learner: Learner, classes: int, store: Store, key: str) -> nn.Module:
    """The trained network of a cell.

    Raises:
        StoreError: the stored tensors do not fit the network that the study describes.
    """
    return from_tensors(learner.method, study.backbone, study.images, store, key, classes)


def from_tensors(
    method: Method, backbone: Backbone, canvas: Canvas, store: Store, key: str, classes: int = 0
) -> nn.Module:
    """The trained network of a cell from its parts; ``classes`` = 0: as many as the cell says.

    Raises:
        StoreError: the stored tensors do not fit the network.
    """
    net = _made(method, backbone.blank(), canvas, 0, classes or int(store.head(key)["protocol"]["classes"]))
    try:
        net.load_state_dict(store.tensors(key, "model"))
    except RuntimeError as error:
        raise StoreError(f"{store.folder / key}: the weights do not fit the network: {error}") from error
    return net.requires_grad_(False)
