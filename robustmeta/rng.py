"""Keyed randomness: every draw is a pure function of (seed, stream, key), so results ignore batching and order.

The generator is SplitMix64 in counter mode (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators", OOPSLA): output j of key k is ``mix(base(seed, stream, k) + j * golden)``. It is evaluated for all keys at
once, and it uses all 64 bits of a key, where a ``torch.Generator`` on the CPU looks at the lower 32 bits of its seed.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S40 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(40)
_LOW24 = np.uint64(0xFFFFFF)

Keys = NDArray[np.uint64]


def mix(z: Keys) -> Keys:
    """SplitMix64's output function: a bijection of 64 bits that spreads every bit over all."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        z = (z ^ (z >> _S30)) * _M1
        z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


def hash64(*parts: object) -> int:
    """A stable 64-bit hash of ``repr`` of the parts (numbers and text only)."""
    data = "\x1f".join(repr(p) for p in parts).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def combine(a: Keys, b: Keys) -> Keys:
    """Mix two broadcastable arrays of keys into one, e.g. episode numbers and image ids."""
    with np.errstate(over="ignore"):
        shifted = np.asarray(a, np.uint64) + _GOLDEN
    return mix(mix(shifted) ^ np.asarray(b, np.uint64))


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
        self._draws += 1
        base = mix(self._base + np.uint64(self._draws * 0xD1342543DE82EF95 & 0xFFFFFFFFFFFFFFFF))
        steps = np.arange(1, n + 1, dtype=np.uint64) * _GOLDEN
        return mix(base[..., None] + steps)

    def uniform(self, *shape: int) -> torch.Tensor:
        """Uniform on [0, 1): float32 of shape (*keys.shape, *shape)."""
        n = math.prod(shape)
        high, low = self._halves((n + 1) // 2)
        return torch.cat([high, low], -1)[..., :n].reshape(*self.keys.shape, *shape)

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal by Box and Muller (1958): float32 of shape (*keys.shape, *shape)."""
        n = math.prod(shape)
        high, low = self._halves((n + 1) // 2)
        radius = (-2 * (high + 2.0**-25).log()).sqrt()
        angle = (2 * math.pi) * low
        return torch.cat([radius * angle.cos(), radius * angle.sin()], -1)[..., :n].reshape(*self.keys.shape, *shape)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Uniform integers in [low, high): int64 of shape (*keys.shape, *shape)."""
        bits = self.bits(math.prod(shape)) % np.uint64(high - low)
        return torch.from_numpy(bits.astype(np.int64) + low).reshape(*self.keys.shape, *shape)

    def permutation(self, n: int) -> torch.Tensor:
        """A random order of 0..n-1 for each key: int64 of shape (*keys.shape, n)."""
        return torch.from_numpy(np.argsort(self.bits(n), axis=-1, kind="stable"))

    def _halves(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        bits = self.bits(n)
        scale = np.float32(2.0**-24)
        high = (bits >> _S40).astype(np.float32) * scale
        low = (bits & _LOW24).astype(np.float32) * scale
        return torch.from_numpy(high), torch.from_numpy(low)
