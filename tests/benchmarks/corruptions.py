"""Images a second of our ImageNet-C and of the published program: ``python tests/benchmarks/corruptions.py``.

Runs in the environment that ``.ci/parity`` makes. Both have the same law and the same five levels, those for 224
pixels, at every size, and are timed in turn within each repetition. Ours gets a batch of uint8 images in one call,
as a study does; theirs one image a call, which is all that it can do. Prints markdown.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from parity import measures, peer
from parity.sections import README, write_section

from robustmeta.corruptions import SETS
from robustmeta.rng import Rng

NAMES = (*SETS["imagenet-c"], *SETS["imagenet-c-validation"])
BATCH = {32: 1024, 64: 256, 224: 64}
LEVELS = range(5)


def timed(work: Callable[[int], int], seconds: float) -> float:
    """Images a second, equally many of each level; each level is called until it has taken its part of the time."""
    of_each = 0.0
    for level in LEVELS:
        done, started = 0, time.perf_counter()
        while not done or time.perf_counter() - started < seconds / len(LEVELS):
            done += work(level)
        of_each += (time.perf_counter() - started) / done
    return len(LEVELS) / of_each


def contest(name: str, size: int, repetitions: int, seconds: float) -> tuple[float, float, float]:
    """Median rates of ours and theirs, and the median of the ratios within a repetition."""
    made = measures.corruption(name)
    images = measures.natural(size, 64)
    batch = torch.from_numpy(np.resize(images, (BATCH[size], *images.shape[1:])).transpose(0, 3, 1, 2).copy())
    keys, turn = range(len(batch)), iter(range(10**9))

    def ours(level: int) -> int:
        made(batch, made.tables["224"][level], Rng(next(turn), ("benchmark",), keys))
        return len(batch)

    def theirs(level: int) -> int:
        with suppress(peer.Undefined):  # spatter without a drop
            peer.corrupt(images[next(turn) % len(images)], name, level + 1)
        return 1

    for work in (ours, theirs):
        work(0)
    found = np.array([(timed(ours, seconds), timed(theirs, seconds)) for _ in range(repetitions)])
    mine, other = np.median(found, 0)
    return float(mine), float(other), float(np.median(found[:, 0] / found[:, 1]))


def markdown(names: Sequence[str], sizes: Sequence[int], repetitions: int, seconds: float) -> str:
    """The table of rates; below it the geometric mean and the least of the ratios at each size."""
    head = [f"{size}: {column}" for size in sizes for column in ("ours", "peer", "ratio")]
    threads = torch.get_num_threads()
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}; images a second, {threads} threads; medians of {repetitions} repetitions of "
        f"{seconds:g} s each; batches of {', '.join(f'{BATCH[s]} at {s}' for s in sizes)} pixels; imagecorruptions "
        f"{version('imagecorruptions')}, torch {version('torch')}, opencv {version('opencv-python-headless')}.",
        "",
        f"| corruption | {' | '.join(head)} |",
        f"|{'---|' * (len(head) + 1)}",
    ]
    ratios: dict[int, list[float]] = {size: [] for size in sizes}
    for name in names:
        found: list[str] = []
        for size in sizes:
            mine, other, ratio = contest(name, size, repetitions, seconds)
            ratios[size].append(ratio)
            found += [f"{mine:,.0f}", f"{other:,.1f}" if other < 10 else f"{other:,.0f}", f"{ratio:.1f}"]
        lines.append(f"| {' | '.join([name, *found])} |")
    for label, measure in (("geometric mean", lambda r: float(np.exp(np.log(r).mean()))), ("least", min)):
        cells = [cell for size in sizes for cell in ("", "", f"{measure(ratios[size]):.1f}")]
        lines.append(f"| **{label}** | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Images a second of both programs.")
    parser.add_argument("names", nargs="*", default=list(NAMES), help="corruptions (all 19)")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(BATCH), choices=list(BATCH))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="a repetition, for each of the two, over all levels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put it into the README of the corruptions as well")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    made = markdown(chosen.names, chosen.sizes, chosen.repetitions, chosen.seconds)
    sys.stdout.write(f"{made}\n")
    if chosen.write:
        write_section(README, "speed", made)
