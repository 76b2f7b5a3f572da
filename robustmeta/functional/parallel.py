"""Calls that run in C, one an image, spread over threads."""

from collections.abc import Callable
from itertools import pairwise

import torch

from robustmeta.threads import over


def over_rows(work: Callable[[slice], object], rows: int) -> None:
    """Call ``work`` on slices that together are 0..rows-1, one for each of torch's threads.

    For per-image calls of libraries that let go of the interpreter (OpenCV, Pillow, NumPy). The work of a row must not
    depend on the others, so the number of threads changes nothing.
    """
    parts = min(torch.get_num_threads(), rows)
    edges = [rows * i // max(parts, 1) for i in range(parts + 1)]
    over(work, [slice(a, b) for a, b in pairwise(edges)])
