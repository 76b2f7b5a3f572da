"""What the severities of the tables ``ink-28`` cost, and where their levels come from.

python tests/benchmarks/calibrate_ink.py                  accuracy at every level of the 19 corruptions of ImageNet-C
python tests/benchmarks/calibrate_ink.py fog snow         of some of them
python tests/benchmarks/calibrate_ink.py --fit fog        levels along SWEEPS that cost TARGETS, and what they cost
python tests/benchmarks/calibrate_ink.py --levels '[[2, 1.5], [3, 1.5]]' fog

The cost is what the ProtoNet of the quickstart loses on new characters, white ink on black, 5-way 5-shot: supports are
clean, queries corrupted. Each figure is a point of a study on the quickstart's tasks, so a study of yours finds the
same. The network is trained once and kept with all figures under --root. Prints markdown, costs in points.

The tables hold rounded levels of --fit, and of --levels where no single number is the strength. Some laws cannot cost
TARGETS: JPEG at its lowest quality and speckle of any strength, which leaves black as it is, cost 2 and 5 points, and
gray has no saturation.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from robustmeta import api
from robustmeta.corruptions import SETS
from robustmeta.registry import resolve

QUICKSTART = Path(__file__).resolve().parents[2] / "experiments" / "quickstart.yaml"
OVERRIDES = ["name=ink-28", "learners=[{name: protonet}]", "baselines=[]"]
TARGET = "targets=[{name: glyphs, faces: [sans], split: test}]"
NAMES = (*SETS["imagenet-c"], *SETS["imagenet-c-validation"])
TARGETS = (0.04, 0.09, 0.15, 0.22, 0.30)
MOST = 5
"""Levels of an entry of a study."""


def geometric(first: float, last: float) -> list[float]:
    """Ten strengths in equal ratios."""
    return [float(v) for v in np.geomspace(first, last, 10)]


def linear(first: float, last: float) -> list[float]:
    """Ten strengths in equal steps."""
    return [float(v) for v in np.linspace(first, last, 10)]


SWEEPS: dict[str, tuple[list[float], Callable[[float], Any]]] = {
    "gaussian_noise": (geometric(0.03, 0.6), float),
    "shot_noise": (geometric(6, 0.25), float),
    "impulse_noise": (geometric(0.01, 0.5), float),
    "defocus_blur": (linear(1, 5.5), lambda t: (t, 0.5)),
    "motion_blur": (linear(1, 10), lambda t: (int(np.ceil(2 * t)), t, "cut")),
    "zoom_blur": (linear(1.1, 2.2), lambda t: (t, 0.02)),
    "snow": (linear(0.05, 0.5), lambda t: (t, 0.3, 1.5, 0.5, 8, 3.0, 0.8, "hendrycks")),
    "frost": (linear(0, 0.7), lambda t: (round(1 - 0.5 * t, 3), round(0.2 + 0.6 * t, 3), 0.2)),
    "fog": (geometric(0.3, 6), lambda t: (t, 2.0)),
    "brightness": (linear(0.05, 0.5), float),
    "contrast": (linear(0.9, 0.2), float),
    "elastic_transform": (linear(0.1, 1.0), lambda t: (t, 0.06, 0.0)),
    "pixelate": (linear(0.8, 0.15), float),
    "speckle_noise": (geometric(0.2, 8), float),
    "gaussian_blur": (linear(0.5, 3.5), float),
    "spatter": (linear(0.75, 0.55), lambda t: (0.65, 0.3, 1.0, t, 0.8, "mud")),
}
"""Ten strengths, mild to strong, and the level that each makes; the others have no single strength."""


def accuracies(name: str, levels: Sequence[Any], root: Path) -> tuple[float, list[float]]:
    """Accuracy on clean queries, and under a corruption at any levels."""
    parts = [levels[i : i + MOST] for i in range(0, len(levels), MOST)]
    entries = [{"corruption": name, "label": f"part-{i}", "levels": part} for i, part in enumerate(parts)]
    study = api.load_study(QUICKSTART, [*OVERRIDES, TARGET, f"shifts={json.dumps(entries)}"])
    found = api.run(study, root).results.points
    mean = found[found["metric"] == "accuracy"].set_index(["shift", "step"])["mean"]
    steps = [(f"part-{i}", step) for i, part in enumerate(parts) for step in range(1, len(part) + 1)]
    return float(mean["clean", 0]), [float(mean[step]) for step in steps]


def fitted(name: str, root: Path) -> list[Any]:
    """Levels that cost TARGETS, by linear interpolation between the costs of the sweep."""
    strengths, level = SWEEPS[name]
    clean, found = accuracies(name, [level(t) for t in strengths], root)
    costs = np.maximum.accumulate(clean - np.array(found))
    sys.stdout.write(f"{name}: {', '.join(f'{t:.3g} {100 * c:.1f}' for t, c in zip(strengths, costs, strict=True))}\n")
    return [level(float(f"{np.interp(target, costs, strengths):.3g}")) for target in TARGETS]


def rows(name: str, levels: Sequence[Any], root: Path) -> str:
    """A row of markdown a level."""
    clean, found = accuracies(name, levels, root)
    lines = [
        f"| {name} | {severity} | {json.dumps(level)} | {100 * accuracy:.1f} | {100 * (clean - accuracy):.1f} |\n"
        for severity, (level, accuracy) in enumerate(zip(levels, found, strict=True), 1)
    ]
    return "".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What the severities of the tables ink-28 cost, in points.")
    parser.add_argument("names", nargs="*", default=list(NAMES), help="corruptions (all 19)")
    parser.add_argument("--root", type=Path, default=Path(tempfile.gettempdir()) / "robustmeta-ink")
    parser.add_argument("--fit", action="store_true", help="look for levels that cost what they should")
    parser.add_argument("--levels", type=json.loads, help="a JSON list of levels to try in place of the table's")
    chosen = parser.parse_args()
    sys.stdout.write("| corruption | severity | level | accuracy | cost |\n|---|---|---|---|---|\n")
    for one in chosen.names:
        if chosen.fit and one in SWEEPS:
            wanted = fitted(one, chosen.root)
        else:
            wanted = chosen.levels or resolve("corruptions", one).tables.get("ink-28", ())
        sys.stdout.write(rows(one, wanted, chosen.root) if wanted else f"| {one} | no table | | | |\n")
        sys.stdout.flush()
