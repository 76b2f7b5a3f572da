"""Each check of draws in blocks turns red on a planted fault."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from core.test_rng_blocks import hold as hold_draws

from robustmeta import rng as rng_module

Patch = pytest.MonkeyPatch


def shifted(z: Any) -> Any:
    first, second = uniform_before(z)
    return first, np.roll(second, 1, -1)


def swapped(z: Any) -> Any:
    return uniform_before(z)[::-1]


uniform_before = rng_module._uniform


@pytest.mark.parametrize("fault", [shifted, swapped])
def test_halves_of_a_draw_that_are_mixed_up(fault: Callable[..., Any], monkeypatch: Patch) -> None:
    monkeypatch.setattr(rng_module, "_uniform", fault)
    with pytest.raises(AssertionError):
        hold_draws((2,), (7,))


def test_a_normal_that_is_off_in_its_last_bits(monkeypatch: Patch) -> None:
    real = rng_module._normal
    monkeypatch.setattr(rng_module, "_normal", lambda z: tuple(v * np.float32(1 + 1e-7) for v in real(z)))
    with pytest.raises(AssertionError):
        hold_draws((2,), (3, 31, 29))


def test_a_block_that_starts_again(monkeypatch: Patch) -> None:
    real = rng_module.Rng._each_block

    def again(self: Any, n: int, store: Callable[..., None]) -> None:
        seen: list[Any] = []

        def first(rows: Any, columns: Any, z: Any) -> None:
            seen.append(z)
            store(rows, columns, seen[0][:, : z.shape[1]] if columns.start else z)

        real(self, n, first)

    monkeypatch.setattr(rng_module, "BLOCK", 16)
    monkeypatch.setattr(rng_module.Rng, "_each_block", again)
    with pytest.raises(AssertionError):
        hold_draws((1,), (3, 31, 29))
