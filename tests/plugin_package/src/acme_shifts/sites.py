"""Sites of a sensor that are dead."""

from robustmeta import corruption


@corruption(levels=(0.02, 0.05, 0.10, 0.20, 0.40), family="noise", paper="Acme 2026, Sensors that fail")
def dead_sites(x, p, rng):
    """Zero a fraction p of the sites in every channel. x: (N, C, H, W) in [0, 1]."""
    return x * (rng.uniform(1, *x.shape[2:]) >= p)
