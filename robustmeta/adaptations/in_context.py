"""Heads that read a support set."""

from copy import deepcopy

from torch import Tensor, nn

from robustmeta.adaptations.embedding import FixedFeatures
from robustmeta.config.components import component
from robustmeta.core import Head, StudyError
from robustmeta.nets import ContextHead, as_network
from robustmeta.rng import Rng


@component("in_context", paper="Santoro et al. 2016, Meta-Learning with Memory-Augmented Neural Networks, section 2")
class InContext(FixedFeatures):
    """The network's own head reads the support set; no weight changes."""

    def fit(self, net: nn.Module, z: Tensor, y: Tensor, way: int, rng: Rng) -> Head:
        """What the head makes of (T, S, D).

        Raises:
            StudyError: the network has no such head, or one for another number of classes.
        """
        head = as_network(net).head
        if not isinstance(head, ContextHead):
            raise StudyError(
                "in_context needs a network whose head reads a support set, as relation networks and sequence models "
                "have; adapt this one by linear_probe, prototypes or lp_ft"
            )
        if head.way not in (0, way):
            raise StudyError(
                f"this network's head serves {head.way} classes and was given {way}-way tasks: train it with way {way}"
            )
        constant = deepcopy(head).requires_grad_(False)  # so that a gradient of a query's logits stops at the query
        return constant.fit(z, y, way)
