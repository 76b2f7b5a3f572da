"""A corruption of one's own: check it, then name it in a study or give this file as a plug-in.

robustmeta check experiments/dead_pixels.py:dead_pixels --sheet sheet.png
robustmeta run experiments/quickstart.yaml --plugin experiments/dead_pixels.py
"""

from robustmeta import corruption


@corruption(levels=(0.02, 0.05, 0.10, 0.20, 0.40), family="noise")
def dead_pixels(x, p, rng):
    """Zero a fraction p of the sites in every channel. x: (N, C, H, W) in [0, 1]."""
    return x * (rng.uniform(1, *x.shape[2:]) >= p)
