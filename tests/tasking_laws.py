"""What the built-in taskings must do, in numbers, for tests and their faults."""

import numpy as np
import torch

from robustmeta.core import Episodes
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import Tasking
from robustmeta.taskings.thin import shots

MANY = 400
TAILS = (
    (5, 5, 2, [5, 4, 3, 2, 2]),  # 5 · 2^(−r/4) = 5, 4.20, 3.54, 2.97, 2.5
    (5, 5, 5, [5, 3, 2, 1, 1]),  # 5, 3.34, 2.24, 1.50, 1
    (5, 5, 50, [5, 1, 1, 1, 1]),  # 5, 1.88, 0.71, 0.27, 0.1
    (5, 20, 2, [20, 16, 14, 11, 10]),  # 20, 16.8, 14.1, 11.9, 10
    (3, 100, 100, [100, 10, 1]),
    (2, 10, 10, [10, 1]),
    (1, 5, 50, [5]),
    (5, 1, 50, [1, 1, 1, 1, 1]),
)
FEWER = {1: [1, 1, 1, 1, 1], 4: [4, 3, 2, 1, 1], 5: [4, 3, 2, 1, 1], 10: [8, 6, 4, 2, 1], 15: [12, 9, 6, 3, 2]}
MISSING = {1: [0] * 5, 2: [1] * 5, 5: [1, 1, 2, 3, 4], 10: [1, 2, 4, 6, 8], 20: [2, 4, 8, 12, 16]}


def made(way: int, shot: int, count: int = MANY) -> Episodes:
    """Tasks whose supports stand in a mixed order, image r of task t on row 1000 t + r."""
    y = torch.arange(way).repeat(shot)[Rng(0, ("order",), range(count)).permutation(way * shot)]
    rows = torch.arange(count)[:, None] * 1000 + torch.arange(way * shot)
    query = rows[:, :1] + 900
    return Episodes(np.arange(count, dtype=np.uint64), rows, y, query, torch.zeros_like(query), way)


def spoiled(tasking: Tasking, level: object, episodes: Episodes, seed: int = 0) -> Episodes:
    return tasking(episodes, level, Rng(seed, ("t",), episodes.number))


def within(share: float, p: float, n: int) -> bool:
    """Whether a share of n draws is within four standard deviations of p."""
    return abs(share - p) <= 4 * (p * (1 - p) / n) ** 0.5


def hold_flips(tasking: Tasking, p: float, way: int, shot: int, to: list[float]) -> None:
    """Each support label moves on by s classes with probability ``to[s]`` = P(s | wrong) · p, one by one."""
    e = made(way, shot)
    got = spoiled(tasking, p, e)
    assert torch.equal(got.support, e.support)
    step = (got.support_y - e.support_y) % way
    for k in range(way):
        of_class = step[e.support_y == k]
        for s, q in enumerate([1 - p, *(p * t for t in to)]):
            assert within(float((of_class == s).double().mean()), q, len(of_class)), f"class {k} moves on by {s}"
    number, n = (step != 0).sum(1).double(), way * shot
    assert abs(float(number.var()) / (n * p * (1 - p)) - 1) < 4 * (2 / MANY) ** 0.5, "the labels are not independent"


def hold_tail(tasking: Tasking) -> None:
    """Each task has the counts of the long tail, and each class is as often at each place of it."""
    for way, shot, ratio, counts in TAILS:
        got = shots(spoiled(tasking, ratio, made(way, shot)))
        assert got.sort(1, descending=True).values.tolist() == [counts] * MANY, f"{way}-way {shot}-shot, ratio {ratio}"
        for k in range(way):
            for count in set(counts):
                share = float((got[:, k] == count).double().mean())
                assert within(share, counts.count(count) / way, MANY), f"class {k} keeps {count} in {share:.0%}"


def hold_fewer(tasking: Tasking) -> None:
    """Each class keeps the stated number at each level, and each of its images is kept alike."""
    for shot, counts in FEWER.items():
        e = made(4, shot)
        for part, count in zip(tasking.levels, counts, strict=True):
            got = spoiled(tasking, part, e)
            assert shots(got).tolist() == [[count] * 4] * MANY, f"{shot} shots, level {part}"
            kept = (e.support[:, :, None] == got.support[:, None, :]).any(-1).double().mean(0)
            assert all(within(float(k), count / shot, MANY) for k in kept), f"{shot} shots, level {part}: by place"


def hold_missing(tasking: Tasking) -> None:
    """The stated number of classes is missing at each level, each class alike; the others keep all."""
    for way, counts in MISSING.items():
        e = made(way, 3)
        for part, m in zip(tasking.levels, counts, strict=True):
            got = shots(spoiled(tasking, part, e))
            assert ((got == 0).sum(1) == m).all(), f"{way}-way, level {part}"
            assert ((got == 0) | (got == 3)).all()
            gone = (got == 0).double().mean(0)
            assert all(within(float(g), m / way, MANY) for g in gone), f"{way}-way, level {part}: by class"
