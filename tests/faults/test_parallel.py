"""Each check of work that threads share turns red on a planted fault."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from core import test_row_chunks as chunk_checks
from functional.test_parallel import hold_each_once

from robustmeta.threads import over

Work = Callable[[Any], object]


def twice(work: Work, items: list[Any]) -> None:
    over(work, [*items, *items[:1]])


def all_but_the_last(work: Work, items: list[Any]) -> None:
    over(work, items[:-1])


def with_threads_of_torch(work: Work, items: list[Any]) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, items))


def and_left_at_one(work: Work, items: list[Any]) -> None:
    over(work, items)
    torch.set_num_threads(1)


@pytest.mark.parametrize("fault", [twice, all_but_the_last, with_threads_of_torch, and_left_at_one])
def test_items_that_are_shared_in_a_wrong_way(fault: Callable[..., None]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(AssertionError):
            hold_each_once(fault, 5)
    finally:
        torch.set_num_threads(before)


def a_row_short(images: torch.Tensor, chunk: int = 0) -> list[slice]:
    return [slice(0, len(images) - 1)]


def in_one(images: torch.Tensor, chunk: int = 0) -> list[slice]:
    return [slice(0, len(images))]


def of_the_most(images: torch.Tensor, chunk: int = 0) -> list[slice]:
    return [slice(i, min(i + 6, len(images))) for i in range(0, len(images), 6)]


@pytest.mark.parametrize("fault", [a_row_short, in_one, of_the_most])
def test_chunks_that_are_not_all_rows_in_equal_parts(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_checks, "row_chunks", fault)
    with pytest.raises(AssertionError):
        chunk_checks.hold_chunks(64, 3, 224)
