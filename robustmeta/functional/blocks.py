"""Work on a few images at a time: temporaries stay in the processor's cache, and memory stays bounded."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

PIXELS = 2**17
"""Pixels (of one channel) that a law is given at a time."""


def in_blocks(law: Callable[..., Tensor], x: Float[Tensor, "N C H W"], *rows: Tensor) -> Float[Tensor, "N C H W"]:
    """law(x, *rows) for a few images at a time; every one of ``rows`` has an entry for each image."""
    out = torch.empty_like(x)
    step = max(1, PIXELS // (x.shape[-2] * x.shape[-1]))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        out[part] = law(x[part], *(r[part] for r in rows))
    return out
