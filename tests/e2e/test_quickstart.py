"""What the quickstart promises: its size, and what its severities cost."""

from pathlib import Path

import pytest

from robustmeta import api

STUDY = Path(__file__).resolve().parents[2] / "experiments" / "quickstart.yaml"
PASSES = 2_500_000
"""Images sent forward by the whole quickstart: what keeps it to minutes on two cores."""


def test_the_quickstart_is_small(tmp_path: Path) -> None:
    rows = api.plan(api.load_study(STUDY), tmp_path).rows
    assert 0 < sum(r.passes for r in rows) <= PASSES


@pytest.mark.slow
def test_ink_levels_cost_a_protonet_what_they_should(tmp_path: Path) -> None:
    """Severity 5 costs 20 to 40 points; JPEG cannot: at 28 pixels quality 1, the format's lowest, costs a few."""
    overrides = ["learners=[{name: protonet}]", "baselines=[]", "targets=[{name: glyphs, split: test}]"]
    study = api.load_study(STUDY, overrides)
    found = api.run(study, tmp_path).results.points
    accuracy = found[found["metric"] == "accuracy"].set_index(["shift", "step"])
    clean = accuracy.loc[("clean", 0)]
    assert clean["low"] > 0.8
    for shift in ("gaussian_noise", "defocus_blur", "contrast"):
        assert 0.2 <= clean["mean"] - accuracy.loc[(shift, 5), "mean"] <= 0.4, shift
        assert accuracy.loc[(shift, 1), "mean"] > accuracy.loc[(shift, 3), "mean"] > accuracy.loc[(shift, 5), "mean"]
    assert 0 < clean["mean"] - accuracy.loc[("jpeg_compression", 5), "mean"] < 0.2
