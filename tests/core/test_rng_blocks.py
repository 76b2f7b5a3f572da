"""Draws are worked out in blocks and by threads; that must not change a bit of them."""

import math

import numpy as np
import pytest
import torch

from robustmeta import rng as module
from robustmeta.rng import Rng, hash64, mix

SHAPES = [(0,), (1,), (2,), (7,), (1, 28, 28), (3, 31, 29), (100_001,), (2**17,), (2**18 + 1,), (3, 224, 224)]
KEYS = [(), (1,), (0,), (3,), (2, 5), (40,)]
CASES = [(keys, shape) for keys in KEYS for shape in SHAPES if math.prod(keys) * math.prod(shape) < 2**20]


def plain(rng: Rng, n: int) -> np.ndarray:
    """The first outputs of its keys, by the formula."""
    base = mix(rng.keys.ravel() ^ np.uint64(hash64(rng.seed, rng.stream)))
    base = mix(base + np.uint64(0xD1342543DE82EF95))
    return mix(base[:, None] + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def halves(bits: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    parts = (bits >> np.uint64(40), bits & np.uint64(0xFFFFFF))
    first, second = (torch.from_numpy(p.astype(np.float32) * np.float32(2.0**-24)) for p in parts)
    return first, second


def uniform(rng: Rng, n: int) -> torch.Tensor:
    return torch.cat(halves(plain(rng, (n + 1) // 2)), -1)[:, :n]


def normal(rng: Rng, n: int) -> torch.Tensor:
    high, low = halves(plain(rng, (n + 1) // 2))
    radius, angle = (-2 * (high + 2.0**-25).log()).sqrt(), (2 * math.pi) * low
    return torch.cat([radius * angle.cos(), radius * angle.sin()], -1)[:, :n]


def integers(rng: Rng, n: int) -> torch.Tensor:
    return torch.from_numpy((plain(rng, n) % np.uint64(253)).astype(np.int64) - 3)


def hold(keys: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Assert that all kinds of draws are those of the formula, bit for bit."""
    values, n = np.arange(math.prod(keys), dtype=np.uint64).reshape(keys) * np.uint64(3**30), math.prod(shape)

    def fresh() -> Rng:
        return Rng(5, ("blocks", 1), values)

    same(fresh().bits(n), plain(fresh(), n), (*keys, n))
    same(fresh().uniform(*shape).numpy(), uniform(fresh(), n).numpy(), (*keys, *shape))
    same(fresh().normal(*shape).numpy(), normal(fresh(), n).numpy(), (*keys, *shape))
    same(fresh().integers(-3, 250, *shape).numpy(), integers(fresh(), n).numpy(), (*keys, *shape))


def same(got: np.ndarray, want: np.ndarray, shape: tuple[int, ...]) -> None:
    assert got.shape == shape
    assert got.dtype == want.dtype
    differ = got.tobytes() != want.tobytes()  # of the bytes themselves pytest would print the difference, for minutes
    assert not differ, f"{np.sum(got.ravel() != want.ravel())} of {got.size} draws"


@pytest.mark.parametrize(("keys", "shape"), CASES, ids=str)
def test_draws_are_the_formula_bit_for_bit(keys: tuple[int, ...], shape: tuple[int, ...]) -> None:
    hold(keys, shape)


@pytest.mark.parametrize("block", [1, 5, 64, 1000])
def test_the_size_of_a_block_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", block)
    for keys, shape in (((3,), (7,)), ((2, 5), (3, 5, 4)), ((40,), (1,))):
        hold(keys, shape)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPREAD", 1)
    monkeypatch.setattr(module, "BLOCK", 16)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        hold((7,), (3, 5, 5))
        hold((1,), (1,))
    finally:
        torch.set_num_threads(before)


def test_large_draws_are_spread_over_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    spreads: list[bool] = []
    monkeypatch.setattr(module, "over", lambda work, items, *, spread: spreads.append(spread))
    Rng(0, ("a",), range(2)).normal(module.SPREAD)
    Rng(0, ("a",), range(2)).normal(module.SPREAD // 2)
    assert spreads == [True, False]
