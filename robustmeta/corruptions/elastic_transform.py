"""A picture on a sheet that is stretched here and there."""

from torch import Tensor

from robustmeta.corruptions.decorator import corruption
from robustmeta.functional.elastic import displaced, field, tilted
from robustmeta.rng import Rng

OFF = 244 / 224
"""The published levels for 224 pixels are multiples of 244."""


@corruption(
    family="digital",
    tables={
        "224": (
            (12.5 * 0.005, 0.01, 0.0),
            (16.25 * 0.005, 0.01, 0.0),
            (21.25 * 0.005, 0.01, 0.0),
            (25 * 0.005, 0.01, 0.0),
            (30 * 0.005, 0.01, 0.0),
        ),
        "224-hendrycks": (
            (OFF * 2, OFF * 0.7, OFF * 0.1),
            (OFF * 2, OFF * 0.08, OFF * 0.2),
            (OFF * 0.05, OFF * 0.01, OFF * 0.02),
            (OFF * 0.07, OFF * 0.01, OFF * 0.02),
            (OFF * 0.12, OFF * 0.01, OFF * 0.02),
        ),
        "64": ((0.0, 0.0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
        "32": ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        "ink-28": ((0.32, 0.06, 0.0), (0.45, 0.06, 0.0), (0.58, 0.06, 0.0), (0.7, 0.06, 0.0), (0.84, 0.06, 0.0)),
    },
    laws={
        "224": "imagecorruptions",
        "224-hendrycks": "hendrycks",
        "64": "hendrycks",
        "32": "hendrycks",
        "ink-28": "robustmeta",
    },
    parity={"224": "injected-exact", "224-hendrycks": "none", "64": "none", "32": "none", "ink-28": "none"},
    monotone=False,  # the published levels go from tilting to stretching
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions",
)
def elastic_transform(x: Tensor, level: tuple[float, float, float], rng: Rng) -> Tensor:
    """Tilted by an affine map, then y(p) = x(p + d(p)); level is (displacement, σ, tilt), all in parts of the side.

    d is, in rows and in columns, displacement · height · U(−1, 1) smoothed by a Gaussian of σ; the affine map moves
    three points by U(−tilt, tilt) of the shorter side, see ``tilted``. In ``imagecorruptions`` 1.1.2 nothing is tilted.
    """
    displacement, sigma, tilt = level
    height, width = x.shape[2:]
    if tilt > 0:
        moves = rng.child("tilt").uniform(3, 2).mul_(2).sub_(1)
        x = tilted(x, moves.to(x.device) * (tilt * min(height, width)))
    if displacement > 0:
        right, down = (rng.uniform(height, width).to(x.device).mul_(2).sub_(1) for _ in range(2))
        x = displaced(x, *(field(noise, sigma).mul_(displacement * height) for noise in (right, down)))
    return x.clamp(0, 1)
