"""Work in several threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import torch

Item = TypeVar("Item")


def over(work: Callable[[Item], object], items: list[Item], *, spread: bool = True) -> None:
    """Call ``work`` with every item, in as many threads as torch has if ``spread``, else in this one.

    Each thread takes the next item when it is done with one, and torch computes with one thread in each: its own would
    be too many, and for some milliseconds after what they shared they wait for more in a loop that takes a whole core.
    """
    allowed = torch.get_num_threads()
    threads = min(allowed, len(items)) if spread else 1
    queue, inference = iter(items), torch.is_inference_mode_enabled()  # a list gives no item to two threads

    def run() -> None:
        for item in queue:
            work(item)

    def run_elsewhere() -> None:
        with torch.inference_mode(inference):  # a mode holds in the thread where it was entered
            run()

    if threads < 2:
        run()
        return
    torch.set_num_threads(1)  # in this thread and in all that start from now on
    try:
        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(copy_context().run, run_elsewhere) for _ in range(threads - 1)]
            run()
        for other in others:
            other.result()
    finally:
        torch.set_num_threads(allowed)
