"""Images are given to a law in equal chunks that torch's threads can share."""

from collections.abc import Iterator

import pytest
import torch

from robustmeta.core import CHUNK_BYTES, FEW_BYTES, row_chunks

SIZES = [(1, 28), (3, 32), (3, 64), (3, 224), (3, 1200)]


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def images(n: int, channels: int, side: int) -> torch.Tensor:
    return torch.empty(n, channels, side, side, dtype=torch.uint8, device="meta")


def hold_chunks(n: int, channels: int, side: int, chunk: int = 0) -> None:
    """Assert that they are all rows in order, within the limit, equally many but for one."""
    found, each = row_chunks(images(n, channels, side), chunk), 4 * channels * side**2
    assert [i for rows in found for i in range(rows.start, rows.stop)] == list(range(n))
    sizes = [rows.stop - rows.start for rows in found]
    assert max(sizes, default=0) <= (chunk or max(1, CHUNK_BYTES // each))
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    as_small_as_may_be = chunk or max(sizes, default=1) == 1 or min(sizes) * each < 2 * FEW_BYTES
    assert as_small_as_may_be or len(sizes) % torch.get_num_threads() == 0


@pytest.mark.parametrize("n", [0, 1, 2, 64, 100, 1025])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_chunks_are_all_rows_in_equal_parts(threads: int, n: int, size: tuple[int, int]) -> None:
    hold_chunks(n, *size)
    for chunk in (1, 3, 2000):
        hold_chunks(n, *size, chunk)


def test_examples(threads: int) -> None:
    assert len(row_chunks(images(64, 3, 224))) == {1: 11, 2: 12, 3: 12}[threads]
    assert len(row_chunks(images(6, 3, 224))) == threads
    assert len(row_chunks(images(1, 3, 224))) == 1
    assert len(row_chunks(images(20, 1, 28))) == 1  # not worth a second thread
    assert len(row_chunks(images(6, 3, 224), 6)) == 1
