"""What ``robustmeta.corrupt`` must give, stated a second time, and how many images a corruption gets at a time."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

import robustmeta as rm
from robustmeta.corruptions.contrast import contrast
from robustmeta.corruptions.defocus_blur import defocus_blur
from robustmeta.corruptions.gaussian_noise import gaussian_noise
from robustmeta.corruptions.samples import scenes
from robustmeta.rng import Rng

LIMIT = 16 * 2**20
"""Bytes of float32, as ``robustmeta.corrupt`` states."""


def hold_bounded(images: int) -> None:
    """Assert that so many images of 32 x 32 pixels reach a corruption in chunks within the limit, each once."""
    chunks: list[tuple[int, int]] = []

    def note(x: Tensor, level: float, rng: Rng) -> Tensor:
        chunks.append((len(x), 4 * x.numel()))
        return x

    given = np.broadcast_to(np.uint8(7), (images, 1, 32, 32))  # takes no memory itself
    made = rm.corrupt(given, replace(contrast, function=note), 3)
    assert made.shape == given.shape
    assert (made[0] == 7).all()
    assert (made[-1] == 7).all()
    assert sum(rows for rows, _ in chunks) == images
    assert max(size for _, size in chunks) <= LIMIT, "more than the stated memory at a time"


def hold_chain() -> None:
    """Assert that a chain goes on from what is there, each place with a stream of its own, cut to uint8 in between."""
    images, ids = scenes(3, 40), [7, 1, 2**64 - 1]
    want = defocus_blur(images, defocus_blur.tables["32"][1], Rng(5, ("corruption", "defocus_blur", 0), ids))
    for place, severity in ((1, 1), (2, 5)):
        rng = Rng(5, ("corruption", "gaussian_noise", place), ids)
        want = gaussian_noise(want, gaussian_noise.tables["32"][severity - 1], rng)
    chain = [("defocus_blur", 2), ("gaussian_noise", 1), "gaussian_noise"]
    made = rm.corrupt(images, chain, severity=5, seed=5, ids=ids)
    assert torch.equal(made, want), "a chain differs from its law"
