"""Needs a library that is not there."""

import acme_optics_that_nobody_has as optics

from robustmeta.config.components import Attack, component


@component("acme_laser")
class Laser(Attack):
    """A beam."""

    def perturb(self, classifier, x, y, eps, rng):
        """Through the optics."""
        return optics.beam(x, eps)
