"""Keyed randomness: every draw is a pure function of (seed, stream, key), so results ignore batching and order.

The generator is SplitMix64 in counter mode (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators", OOPSLA): output j of key k is ``mix(base(seed, stream, k) + j * golden)``. It is evaluated for all keys at
once, and it uses all 64 bits of a key, where a ``torch.Generator`` on the CPU looks at the lower 32 bits of its seed.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from robustmeta.threads import over

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S39, _S40 = (np.uint64(s) for s in (30, 27, 31, 39, 40))
_LOW24 = np.uint32(0xFFFFFF)

BLOCK = 2**17
"""Outputs mixed at a time: with their temporaries they stay in a core's cache; fewer, and threads get into each other's
way, for each needs the interpreter between two operations."""
SPREAD = 2**18
"""A draw of fewer outputs is not worth a second thread."""

Keys = NDArray[np.uint64]
Floats = NDArray[np.float32]


def mix(z: Keys) -> Keys:
    """SplitMix64's output function: a bijection of 64 bits that spreads every bit over all."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        z = (z ^ (z >> _S30)) * _M1
        z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


def _mix_(z: Keys) -> None:
    """``mix`` in place, for arrays."""
    spare = np.empty_like(z)
    for shift, factor in ((_S30, _M1), (_S27, _M2)):
        z ^= np.right_shift(z, shift, out=spare)
        z *= factor
    z ^= np.right_shift(z, _S31, out=spare)


def hash64(*parts: object) -> int:
    """A stable 64-bit hash of ``repr`` of the parts (numbers and text only)."""
    data = "\x1f".join(repr(p) for p in parts).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def combine(a: Keys, b: Keys) -> Keys:
    """Mix two broadcastable arrays of keys into one, e.g. episode numbers and image ids."""
    with np.errstate(over="ignore"):
        shifted = np.asarray(a, np.uint64) + _GOLDEN
    return mix(mix(shifted) ^ np.asarray(b, np.uint64))


def _low(z: Keys) -> Floats:
    """The lower 24 bits."""
    low = z.astype(np.uint32)
    low &= _LOW24
    return low.view(np.int32).astype(np.float32)


def _uniform(z: Keys) -> tuple[Floats, Floats]:
    """Two numbers k / 2²⁴, of the upper and of the lower 24 bits k."""
    high, low = (z >> _S40).astype(np.int32).astype(np.float32), _low(z)
    high *= np.float32(2.0**-24)
    low *= np.float32(2.0**-24)
    return high, low


def _normal(z: Keys) -> tuple[Floats, Floats]:
    """√(−2 log u) · (cos 2πv, sin 2πv); u = (k + ½) / 2²⁴ from the upper 24 bits, v = k / 2²⁴ from the lower ones."""
    odd = (z >> _S39).astype(np.int32)
    odd |= 1  # 2k + 1
    radius, angle = odd.astype(np.float32), _low(z)
    radius *= np.float32(2.0**-25)
    # by torch, not by NumPy: the last bits of the two differ, of the square root too
    torch.from_numpy(radius).log_().mul_(-2).sqrt_()
    angle *= np.float32(2 * math.pi) * np.float32(2.0**-24)
    cos = torch.from_numpy(angle).cos().numpy()
    sin = torch.from_numpy(angle).sin_().numpy()
    cos *= radius
    sin *= radius
    return cos, sin


class Rng:
    """Random numbers addressed by key.

    Args:
        seed: any integer.
        stream: names what the numbers are for; different streams are independent.
        keys: uint64 array of any shape; entry i of every draw depends on ``keys[i]`` alone.

    Successive draws from one object differ (the object counts its draws), and do so alike for every key.
    All draws are made on the CPU, in float32, from 24 random bits.

    >>> rng = Rng(0, ("noise",), np.arange(3))
    >>> one = Rng(0, ("noise",), np.array([2]))
    >>> bool((rng.normal(2, 2)[2] == one.normal(2, 2)[0]).all())
    True
    """

    def __init__(self, seed: int, stream: Sequence[object], keys: Keys | Sequence[int]) -> None:
        self.seed, self.stream = int(seed), tuple(stream)
        self.keys: Keys = np.asarray(keys, dtype=np.uint64)
        self._base = mix(self.keys ^ np.uint64(hash64(self.seed, self.stream)))
        self._draws = 0

    def child(self, *stream: object) -> Self:
        """The same keys under a longer stream name, with its own count of draws."""
        return type(self)(self.seed, (*self.stream, *stream), self.keys)

    def at(self, rows: slice | NDArray[np.int64]) -> Self:
        """The same stream for some of the keys, with its count of draws at zero."""
        return type(self)(self.seed, self.stream, self.keys[rows])

    def bits(self, n: int) -> Keys:
        """64 random bits: uint64 of shape (*keys.shape, n)."""
        out = np.empty((self.keys.size, n), np.uint64)

        def store(rows: slice, columns: slice, z: Keys) -> None:
            out[rows, columns] = z

        self._each_block(n, store)
        return out.reshape(*self.keys.shape, n)

    def uniform(self, *shape: int) -> torch.Tensor:
        """Uniform on [0, 1): float32 of shape (*keys.shape, *shape)."""
        return self._pairs(shape, _uniform)

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal by Box and Muller (1958): float32 of shape (*keys.shape, *shape)."""
        return self._pairs(shape, _normal)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Uniform integers in [low, high): int64 of shape (*keys.shape, *shape)."""
        n, span = math.prod(shape), np.uint64(high - low)
        out = np.empty((self.keys.size, n), np.int64)

        def store(rows: slice, columns: slice, z: Keys) -> None:
            multiple = z // span  # NumPy divides by a number faster than it takes the remainder
            multiple *= span
            z -= multiple
            np.add(z.view(np.int64), low, out=out[rows, columns])

        self._each_block(n, store)
        return torch.from_numpy(out.reshape(*self.keys.shape, *shape))

    def permutation(self, n: int) -> torch.Tensor:
        """A random order of 0..n-1 for each key: int64 of shape (*keys.shape, n)."""
        return torch.from_numpy(np.argsort(self.bits(n), axis=-1, kind="stable"))

    def _pairs(self, shape: tuple[int, ...], law: Callable[[Keys], tuple[Floats, Floats]]) -> torch.Tensor:
        """Two numbers from each output: the first half of a row from one part of it, the second from the other."""
        n = math.prod(shape)
        half = (n + 1) // 2
        out = np.empty((self.keys.size, n), np.float32)

        def store(rows: slice, columns: slice, z: Keys) -> None:
            first, second = law(z)
            out[rows, columns] = first
            right = slice(half + columns.start, min(half + columns.stop, n))  # one is left over where n is odd
            out[rows, right] = second[:, : right.stop - right.start]

        self._each_block(half, store)
        return torch.from_numpy(out.reshape(*self.keys.shape, *shape))

    def _each_block(self, n: int, store: Callable[[slice, slice, Keys], None]) -> None:
        """Call ``store(rows, columns, z)`` with every block of the next n outputs of the keys, spread over threads."""
        base, steps = self._next(), np.arange(1, n + 1, dtype=np.uint64) * _GOLDEN
        width = max(1, min(n, BLOCK))
        tops, lefts = range(0, len(base), BLOCK // width), range(0, n, width)
        blocks = [(slice(i, i + tops.step), slice(j, min(j + width, n))) for i in tops for j in lefts]

        def work(block: tuple[slice, slice]) -> None:
            rows, columns = block
            z = base[rows, None] + steps[columns]
            _mix_(z)
            store(rows, columns, z)

        over(work, blocks, spread=len(base) * n >= SPREAD)

    def _next(self) -> Keys:
        """What the outputs of the next draw start from: uint64 (keys,)."""
        self._draws += 1
        return mix(self._base.ravel() + np.uint64(self._draws * 0xD1342543DE82EF95 & 0xFFFFFFFFFFFFFFFF))
