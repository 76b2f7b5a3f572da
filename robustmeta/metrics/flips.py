"""How often predictions change from frame to frame of a sequence."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from robustmeta.metrics.scores import Metric


def flips(predicted: Int[np.ndarray, "F M"], reference: Literal["previous", "first"]) -> Float[np.ndarray, " M"]:
    """The share of frames whose predicted class is not that of their reference, for each of M queries.

    It is 1/(F − 1) Σ_{j=2..F} 1[ŷ_j ≠ ŷ_{j−1}], or with ŷ_1 for ŷ_{j−1} where frames are independent noise; its mean
    over queries is the flip probability of Hendrycks and Dietterich 2019. Labels do not enter: a steady error is none.

    Raises:
        ValueError: fewer than two frames.

    >>> flips(np.array([[0, 0], [1, 0], [0, 1]]), "previous").tolist()
    [1.0, 0.5]
    """
    if predicted.ndim != 2 or len(predicted) < 2:
        raise ValueError(f"expected predictions of two frames or more, (F, M), got {predicted.shape}")
    before = {"previous": predicted[:-1], "first": predicted[:1]}[reference]
    return (predicted[1:] != before).mean(0)


flip_rate = Metric(
    "flip_rate",
    lambda f, e: f["flip"].to_numpy().astype(np.float64).reshape(e, -1).mean(1, keepdims=True),
    lambda mean: mean[..., 0],
    False,
    True,
    "Flip probability: share of the frames of a sequence whose prediction is not that of its reference frame.",
    paper="Hendrycks and Dietterich 2019, Benchmarking Neural Network Robustness to Common Corruptions, section 4.2",
    frames=True,
    most=1.0,
)
