"""Needs a library that is not there, as a package that is installed without its dependencies does."""

import acme_optics_that_nobody_has as optics

from robustmeta import corruption


@corruption(levels=(0.1, 0.2), family="weather")
def acme_haze(x, depth, rng):
    """Through haze of that depth."""
    return optics.haze(x, depth)
