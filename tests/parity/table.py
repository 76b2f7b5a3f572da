"""The parity table of robustmeta/corruptions/README.md: ``python tests/parity/table.py [--write]``.

Runs in the environment that ``.ci/parity`` makes, on the real images of ``$ROBUSTMETA_TEST_DATA``.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from parity import measures
from parity.sections import README, write_section

from robustmeta.corruptions import SETS
from robustmeta.shifts.corruption import Corruption

SIZES = ("32", "64", "224")
PHOTOGRAPHS = "frost_from(photographs)"
NAMES = (*SETS["imagenet-c"], *SETS["imagenet-c-validation"], PHOTOGRAPHS)
ABSENT = "–"
MOST = 4  # draws an image and level
PROGRAMS = (
    "imagecorruptions",
    "scikit-image",
    "robustmeta",
    "torch",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "pillow",
)


def row(name: str) -> Corruption:
    """What stands in a row: a corruption as a study finds it, or frost with the published photographs."""
    return measures.corruption("frost") if name == PHOTOGRAPHS else measures.registered(name)


def cells(made: Corruption, table: str, n: int) -> list[str]:
    """Label, PSNR and SSIM of ours and of the peer's: means over n images and all levels of the table."""
    images = measures.natural(int(table), n)
    both = [
        measures.compared(made, table, severity, images, MOST) for severity in range(1, len(made.tables[table]) + 1)
    ]
    mine, theirs = (np.concatenate(found).mean(0) for found in zip(*both, strict=True))
    shown = [f"{a:.{digits}f} / {b:.{digits}f}" for a, b, digits in zip(mine, theirs, (2, 3), strict=True)]
    return [made.parity.get(table, ABSENT), *(value.replace("nan", ABSENT) for value in shown)]


def markdown(names: Sequence[str], n: int) -> str:
    """The whole table, with what it was made by and when."""
    versions = ", ".join(f"{program} {version(program)}" for program in PROGRAMS)
    head = ["corruption", *(f"{size}: {column}" for size in SIZES for column in ("label", "PSNR", "SSIM"))]
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}; {n} images, all levels of the table of that size; {versions}.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for name, made in [(name, row(name)) for name in names]:
        found = [cell for size in SIZES for cell in cells(made, size, n)]
        lines.append(f"| {' | '.join([name, *found])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The parity table of the corruptions.")
    parser.add_argument("names", nargs="*", default=list(NAMES), help="rows (all)")
    parser.add_argument("--images", type=int, default=measures.SUBJECTS)
    parser.add_argument("--write", action="store_true", help=f"put it into {README.name} as well")
    chosen = parser.parse_args()
    made = markdown(chosen.names, chosen.images)
    sys.stdout.write(f"{made}\n")
    if chosen.write:
        write_section(README, "parity", made)
