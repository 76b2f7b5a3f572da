"""What the quickstart promises: its size, and what its severities cost."""

from pathlib import Path

import pytest

from robustmeta import api

STUDY = Path(__file__).resolve().parents[2] / "experiments" / "quickstart.yaml"
PASSES = 2_900_000
"""Images sent forward by the whole quickstart: what keeps it to minutes on two cores."""
PROTONET = (
    "learners=[{name: protonet}]",
    "baselines=[]",
    "targets=[{name: glyphs, faces: [sans], split: test}]",
)
SEVERITIES = [1, 3, 5]
Bounds = tuple[tuple[float, float], ...]
"""Least and largest loss of accuracy at each of SEVERITIES."""
COSTS: Bounds = ((0.01, 0.10), (0.08, 0.24), (0.20, 0.40))
OWN: dict[str, Bounds] = {
    # quality 1 is the format's lowest
    "jpeg_compression": ((-0.01, 0.02), (-0.01, 0.02), (0.005, 0.05)),
    # it multiplies: black stays black, and at any strength about half of the ink stays
    "speckle_noise": ((-0.01, 0.03), (0.01, 0.06), (0.02, 0.08)),
    # gray has no saturation
    "saturate": ((0, 0), (0, 0), (0, 0)),
}
"""Those that differ, and why; ``tests/benchmarks/calibrate_ink.py`` has the figures of every level."""


def test_the_quickstart_is_small(tmp_path: Path) -> None:
    rows = api.plan(api.load_study(STUDY), tmp_path).rows
    assert 0 < sum(r.passes for r in rows) <= PASSES


@pytest.mark.slow
def test_ink_levels_cost_a_protonet_what_they_should(tmp_path: Path) -> None:
    """Severity 1 costs some points, 5 costs 20 to 40, and 3 lies between; ``OWN`` names the laws that differ."""
    costs = protonet_costs(tmp_path)
    assert len(costs) == 19
    for name, found in costs.items():
        for cost, (low, high) in zip(found, OWN.get(name, COSTS), strict=True):
            assert low <= cost <= high, (name, found)
        if name != "saturate":
            assert found[0] < found[1] < found[2], (name, found)


def protonet_costs(root: Path) -> dict[str, list[float]]:
    """Accuracy lost on new characters at SEVERITIES, by corruption."""
    sets = ("imagenet-c", "imagenet-c-validation")
    shifts = [f"{{corruptions: {name}, severity: {SEVERITIES}, table: ink-28}}" for name in sets]
    study = api.load_study(STUDY, [*PROTONET, f"shifts=[{', '.join(shifts)}]"])
    found = api.run(study, root).results.points
    accuracy = found[found["metric"] == "accuracy"].set_index(["shift", "step"])
    clean = accuracy.loc[("clean", 0)]
    assert clean["low"] > 0.8
    names = dict.fromkeys(shift for shift, _ in accuracy.index if shift != "clean")
    return {n: [clean["mean"] - accuracy.loc[(n, s), "mean"] for s in SEVERITIES] for n in names}
