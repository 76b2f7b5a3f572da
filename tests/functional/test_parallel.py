"""Work that is shared among threads is the same work, and leaves torch as it was."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import pytest
import torch

from robustmeta.functional.parallel import over_rows
from robustmeta.threads import over


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def hold_each_once(share: Callable[..., None], items: int) -> None:
    """Assert that every item is worked on once, with one thread of torch's, and that torch has its threads back."""
    seen: Counter[int] = Counter()
    inside: set[int] = set()
    before, lock = torch.get_num_threads(), threading.Lock()

    def work(item: int) -> None:
        with lock:
            seen[item] += 1
            inside.add(torch.get_num_threads())

    share(work, list(range(items)))
    assert seen == Counter(range(items))
    assert inside <= {1} or min(before, items) < 2
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("items", [0, 1, 2, 50])
def test_each_item_is_worked_on_once_with_one_thread_of_torch(threads: int, items: int) -> None:
    hold_each_once(over, items)
    fresh = threading.Thread(target=hold_each_once, args=(over, items))
    fresh.start()
    fresh.join()


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_slices_of_rows_are_all_of_them_in_order(threads: int, rows: int) -> None:
    made = torch.zeros(rows)

    def work(part: slice) -> None:
        made[part] += torch.arange(rows)[part] + 1

    over_rows(work, rows)
    assert torch.equal(made, torch.arange(rows) + 1.0)


def test_as_many_threads_as_torch_has(threads: int) -> None:
    used: set[int] = set()

    def work(item: int) -> None:
        used.add(threading.get_ident())
        end = time.monotonic() + 10
        while len(used) < threads and time.monotonic() < end:  # none can do the work of two
            time.sleep(0.001)

    over(work, list(range(6)))
    assert len(used) == threads
    assert threading.get_ident() in used


def test_not_spread_it_is_this_thread_in_order() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen: list[tuple[int, int, int]] = []
        over(lambda i: seen.append((i, threading.get_ident(), torch.get_num_threads())), [3, 1, 2], spread=False)
    finally:
        torch.set_num_threads(before)
    assert seen == [(i, threading.get_ident(), 2) for i in (3, 1, 2)]


@pytest.mark.parametrize("bad", [0, 5, 9])
def test_an_error_is_raised_and_torch_has_its_threads_back(threads: int, bad: int) -> None:
    def work(item: int) -> None:
        if item == bad:
            raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        over(work, list(range(10)))
    assert torch.get_num_threads() == threads


def test_inference_mode_holds_in_all_threads(threads: int) -> None:
    with torch.inference_mode():
        made = torch.zeros(8)

        def work(item: int) -> None:
            time.sleep(0.001)
            made[item] = item  # outside of the mode that made it, torch refuses

        over(work, list(range(8)))
    assert made.tolist() == list(range(8))


def test_context_variables_hold_in_all_threads(threads: int) -> None:
    name: ContextVar[int] = ContextVar("name", default=0)
    token = name.set(5)
    seen: list[int] = []

    def work(item: int) -> None:
        time.sleep(0.001)
        seen.append(name.get())

    over(work, list(range(8)))
    name.reset(token)
    assert seen == [5] * 8
