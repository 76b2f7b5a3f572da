"""Calls that run in C, one an image, spread over threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch


def over_rows(work: Callable[[slice], None], rows: int) -> None:
    """Call ``work`` on slices that together are 0..rows-1, one for each of torch's threads.

    For per-image calls of libraries that let go of the interpreter (OpenCV, Pillow, NumPy). The work of a row must not
    depend on the others, so the number of threads changes nothing.
    """
    threads = min(torch.get_num_threads(), rows)
    edges = [rows * i // max(threads, 1) for i in range(threads + 1)]
    slices = [slice(a, b) for a, b in pairwise(edges)]
    if len(slices) < 2:
        for part in slices:
            work(part)
        return
    with ThreadPoolExecutor(len(slices)) as pool:
        for done in [pool.submit(work, part) for part in slices]:
            done.result()
