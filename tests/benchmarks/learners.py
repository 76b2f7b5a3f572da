"""Time of one meta-step of MAML, ours and other programs': ``python tests/benchmarks/learners.py``.

Runs in the environment that ``.ci/parity`` makes. conv4 of 64 channels on 28 x 28 pixels, 5-way 1-shot, one inner step,
second order; every pass is normalised with its own statistics. The programs are timed in turn within each repetition.
Before that their meta-gradients are compared in float64. Those that torch.autograd makes must agree. Those of
torch.func are about 0.2 % off with torch 2.14 where there is batch normalisation: finite differences say so, which
ours meet in ``tests/methods/test_descending.py``. Prints markdown.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from parity import maml_peers
from parity.maml_peers import Gradients, Peer

from robustmeta.backbones.conv4 import Conv4
from robustmeta.core import Tasks
from robustmeta.methods.maml import Maml
from robustmeta.nets import Network
from robustmeta.rng import Rng

PEERS: dict[str, Peer] = {
    "higher 0.2.1": maml_peers.by_higher,
    "a loop of module clones": maml_peers.by_clones,
    "torch.func: vmap of grad": maml_peers.by_vmap,
    "parallel-metalearn 0.5.6, vmap": maml_peers.by_parallel,
    "parallel-metalearn 0.5.6, sequential": maml_peers.by_parallel_in_turn,
}
AGREE = ("higher 0.2.1", "a loop of module clones", "parallel-metalearn 0.5.6, sequential")
RATE = 0.4
CLOSE = 1e-6


def made_tasks(count: int, query: int, dtype: torch.dtype) -> Tasks:
    """Tasks of noise."""
    generator = torch.Generator().manual_seed(0)

    def part(images: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.rand(count, 5 * images, 1, 28, 28, generator=generator, dtype=torch.float64)
        return x.to(dtype), torch.arange(5).repeat(images).expand(count, -1)

    return Tasks(*part(1), *part(query), 5)


def programs(tasks: Tasks, dtype: torch.dtype) -> dict[str, Callable[[], Gradients]]:
    """Every program on the same weights and tasks."""
    count, query = len(tasks.query_y), tasks.query_y.shape[1] // 5
    method = Maml(train={"way": 5, "shot": 1, "query": query, "tasks": count}, inner_rate=RATE)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = method.build(Conv4(width=64, norm="batch"), 28, 1, 5).to(dtype)
    assert isinstance(net, Network)
    rng = Rng(0, ("train",), [0])

    def ours() -> Gradients:
        net.zero_grad()
        loss = method.backward(net, tasks, rng).loss
        return maml_peers.collected(net, loss)

    def theirs(peer: Peer, module: nn.Module) -> Callable[[], Gradients]:
        return lambda: peer(module, tasks, "all", RATE, 1)

    return {"robustmeta": ours} | {name: theirs(peer, maml_peers.plain(net)) for name, peer in PEERS.items()}


def distances(query: int) -> dict[str, float]:
    """|theirs − ours| / |ours| of the whole meta-gradient of four tasks, in float64."""
    found = {name: run()[1] for name, run in programs(made_tasks(4, query, torch.float64), torch.float64).items()}
    flat = {name: torch.cat([g[k].flatten() for k in sorted(g)]) for name, g in found.items()}
    ours = flat["robustmeta"]
    return {name: float((g - ours).norm() / ours.norm()) for name, g in flat.items()}


def contest(query: int, count: int, repetitions: int) -> dict[str, tuple[float, float, float]]:
    """Medians for each program: milliseconds by the clock and of the processor, and the clock's ratio to ours."""
    runs = programs(made_tasks(count, query, torch.float32), torch.float32)
    for run in runs.values():
        run()
    clock = {name: [] for name in runs}
    processor = {name: [] for name in runs}
    for _ in range(repetitions):
        for name, run in runs.items():
            started, spent = time.perf_counter(), time.process_time()
            run()
            clock[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - spent)
    ours = np.array(clock["robustmeta"])
    return {
        name: (1e3 * float(np.median(t)), 1e3 * float(np.median(processor[name])), float(np.median(np.array(t) / ours)))
        for name, t in clock.items()
    }


def markdown(queries: Sequence[int], count: int, repetitions: int) -> str:
    """The table.

    Raises:
        SystemExit: our meta-gradient is another one than those that must agree.
    """
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}; milliseconds a meta-step of {count} tasks, medians of {repetitions} "
        f"repetitions, {torch.get_num_threads()} threads; torch {version('torch')}.",
        "",
        "| queries a class | program | clock | processor | clock / ours | difference of gradients, float64 |",
        "|---|---|---|---|---|---|",
    ]
    for query in queries:
        apart = distances(query)
        if wrong := {name: apart[name] for name in AGREE if not apart[name] < CLOSE}:
            raise SystemExit(f"the meta-gradients differ: {wrong}")
        for name, (clock, processor, ratio) in contest(query, count, repetitions).items():
            lines.append(f"| {query} | {name} | {clock:,.0f} | {processor:,.0f} | {ratio:.2f} | {apart[name]:.0e} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time of a meta-step of MAML, ours and other programs'.")
    parser.add_argument("--queries", nargs="+", type=int, default=[1, 15], help="queries a class")
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    sys.stdout.write(f"{markdown(chosen.queries, chosen.tasks, chosen.repetitions)}\n")
