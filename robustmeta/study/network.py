"""Networks: built with their own seed, stored and loaded as plain tensors."""

import torch
from torch import nn

from robustmeta.config.study import Learner, Study
from robustmeta.rng import hash64
from robustmeta.store.cells import Store, StoreError


def build(study: Study, learner: Learner, seed: int, classes: int) -> nn.Module:
    """The untrained network of a learner; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hash64("init", seed) % 2**31)
        net = learner.method.build(study.backbone, study.images.size, study.images.channels, classes)
    return net.eval()


def load(study: Study, learner: Learner, classes: int, store: Store, key: str) -> nn.Module:
    """The trained network of a cell.

    Raises:
        StoreError: the stored tensors do not fit the network that the study describes.
    """
    net = build(study, learner, 0, classes)
    try:
        net.load_state_dict(store.tensors(key, "model"))
    except RuntimeError as error:
        raise StoreError(f"{store.folder / key}: the weights do not fit the study's network: {error}") from error
    return net.requires_grad_(False)
