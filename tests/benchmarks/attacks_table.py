"""Robust accuracy under our attacks and torchattacks': ``python tests/benchmarks/attacks_table.py [--points 500]``.

Runs in the environment that ``.ci/parity`` makes, on the real images of ``$ROBUSTMETA_TEST_DATA``: a conv4 trained on
them plainly and one trained on attacked images, both attacked with the same budgets. Ours is weaker where it leaves
more than half a point more standing. Prints markdown, and writes it where ``--write`` says.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from parity.attack_peers import (
    RADII,
    WAY,
    Subjects,
    ours,
    peer_ensemble,
    peer_members,
    peer_pgd,
    standing,
    subjects,
    trained,
    weaker_by,
)

from robustmeta.attacks.autoattack import AutoAttack
from robustmeta.attacks.pgd import PGD

MARGIN = 0.5
"""Points of robust accuracy by which ours may be above. Stated before anything was compared."""
DATA = Path(os.environ.get("ROBUSTMETA_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
PROGRAMS = ("torchattacks", "robustmeta", "torch", "numpy")
COLUMNS = ("attack", "model", "norm", "eps", "clean %", "ours %", "torchattacks %", "ours - theirs", "paired 95 %", "")


def rows(kind: str, norm: str, net: nn.Module, on: Subjects, chosen: argparse.Namespace) -> Iterator[str]:
    """A line for PGD, for each member of the ensemble, and for the ensemble."""
    eps, budget = RADII[kind][norm], (chosen.steps, chosen.queries, WAY - 1)
    ensemble = AutoAttack.model_validate({"norm": norm, "steps": chosen.steps, "queries": chosen.queries})
    pgd = PGD.model_validate({"norm": norm, "steps": chosen.steps})
    pairs = [
        ("pgd", pgd, peer_pgd(net, eps, chosen.steps, norm=norm)),
        *((m.name, m, peer_members(net, norm, eps, *budget)[m.name]) for m in ensemble.members(WAY)),
        ("autoattack", ensemble, peer_ensemble(net, norm, eps, *budget)),
    ]
    with torch.no_grad():
        clean = float((net(on.x).argmax(-1) == on.y).float().mean())
    for name, attack, peer in pairs:
        mine = standing(net, ours(attack, net, on, eps), on, norm, eps)
        other = standing(net, peer(on.x, on.y), on, norm, eps)
        gap, width = weaker_by(mine, other)
        shares = [f"{100 * float(v):.1f}" for v in (clean, mine.float().mean(), other.float().mean())]
        verdict = "" if 100 * gap <= MARGIN else "weaker"
        yield " | ".join([name, kind, norm, f"{eps:.4g}", *shares, f"{100 * gap:+.1f}", f"±{100 * width:.1f}", verdict])


def lines(chosen: argparse.Namespace) -> Iterator[str]:
    """The table, line by line."""
    versions = ", ".join(f"{program} {version(program)}" for program in PROGRAMS)
    yield (
        f"{datetime.now(UTC):%Y-%m-%d}; {chosen.points} CIFAR-10 images, conv4-{chosen.width}; {chosen.steps} steps a "
        f"target, {chosen.queries} queries of Square, one start each; {versions}. Margin {MARGIN} points.\n"
    )
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    seen = subjects(DATA)
    for kind in chosen.kinds:
        net = trained(kind, seen, chosen.width)
        for norm in RADII[kind]:
            for row in rows(kind, norm, net, seen.some(chosen.points), chosen):
                yield f"| {row} |"


def main(chosen: argparse.Namespace) -> None:
    """Print the table as it is made, and write it."""
    torch.set_num_threads(chosen.threads)
    made: list[str] = []
    for line in lines(chosen):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        made.append(line)
    if chosen.write:
        chosen.write.write_text("\n".join(made) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Robust accuracy under both programs' attacks.")
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument(
        "--kinds", nargs="+", default=list(RADII), choices=list(RADII), help="how the network is trained"
    )
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a Markdown file to make")
    main(parser.parse_args())
