"""Episodes a second of a prototypical network, ours and easyfsl's: ``python tests/benchmarks/episodes.py``.

Runs in the environment that ``.ci/parity`` makes. conv4 of 64 channels on 28 x 28 glyphs, 5-way 5-shot, 15 queries a
class. easyfsl sends the images of each episode through the network, or, in its other mode, each image of the domain
once; both modes and ours sample episodes, embed and score within the time taken, and the programs are timed in turn
within each repetition. ``tests/parity/test_easyfsl.py`` shows that the same queries are right. Prints markdown.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from parity import easyfsl_peer

from robustmeta.backbones.conv4 import Conv4
from robustmeta.core import TaskShape, sample
from robustmeta.domains.glyphs import Glyphs
from robustmeta.methods.protonet import ProtoNet
from robustmeta.study.validate import Validator

SHAPE = TaskShape(5, 5, 15)


def programs(episodes: int, looped: int) -> dict[str, tuple[int, Callable[[], float]]]:
    """Each program: how many episodes a run has, and the run, which gives the accuracy."""
    domain, backbone, method = Glyphs(split="test").load(28, 1), Conv4(width=64), ProtoNet()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = method.build(backbone, 28, 1, SHAPE.way).eval()

    def ours() -> float:
        drawn = sample(domain, SHAPE, 0, 0, episodes)
        validator = Validator(domain, drawn, 0, backbone)
        return float(validator.right(net, method.adaptation(), drawn, {}, lambda _: None).mean())

    return {
        "robustmeta": (episodes, ours),
        "easyfsl, embeddings made beforehand": (
            episodes,
            lambda: easyfsl_peer.precomputed(net, domain, SHAPE, episodes),
        ),
        "easyfsl, loop": (looped, lambda: easyfsl_peer.loop(net, domain, SHAPE, looped)),
    }


def markdown(episodes: int, looped: int, repetitions: int) -> str:
    """The table."""
    runs = programs(episodes, looped)
    rates: dict[str, list[float]] = {name: [] for name in runs}
    accuracy: dict[str, float] = {}
    for _ in range(repetitions):
        for name, (count, run) in runs.items():
            started = time.perf_counter()
            accuracy[name] = run()
            rates[name].append(count / (time.perf_counter() - started))
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}; medians of {repetitions} repetitions, {torch.get_num_threads()} threads; torch "
        f"{version('torch')}, easyfsl {version('easyfsl')}.",
        "",
        "| program | episodes | episodes a second | ours / its | accuracy |",
        "|---|---|---|---|---|",
    ]
    ours = np.array(rates["robustmeta"])
    for name, (count, _) in runs.items():
        rate, ratio = np.median(rates[name]), np.median(ours / np.array(rates[name]))
        lines.append(f"| {name} | {count:,} | {rate:,.0f} | {ratio:.1f} | {100 * accuracy[name]:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Episodes a second of a prototypical network, ours and easyfsl's.")
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--looped", type=int, default=200, help="episodes of easyfsl's loop")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    sys.stdout.write(f"{markdown(chosen.episodes, chosen.looped, chosen.repetitions)}\n")
