"""Honesty flags as tags of runs."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from results_factory import make_results
from tracking_audit import make_root, runs

from robustmeta.config.flags import FLAGS
from robustmeta.store.results import FLAG_COLUMNS, Results
from robustmeta.tracking import sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")  # of its own code


def results(warned: str = "", seed: int = 1) -> Results:
    """One flag warns for maml and one seed; one does not run."""
    made = make_results(learners=("maml",), targets=("one",))
    rows = [
        (learner, s, "one", "pgd", step, step / 1000, flag)
        + (("not run", float("nan"), "why") if flag == "control" else ("pass", 0.0, "fine"))
        for learner in ("maml", "supervised")
        for s in (0, 1)
        for step in (50, 100)
        for flag in FLAGS
    ]
    flags = pd.DataFrame(rows, columns=list(FLAG_COLUMNS))
    mine = (flags["learner"] == "maml") & (flags["seed"] == seed) & (flags["flag"] == warned)
    flags.loc[mine, ["status", "value", "text"]] = ["warn", 0.25, "3 of 12"]
    return dataclasses.replace(made, flags=flags)


def test_tags_of_learners_seeds_and_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = make_root(tmp_path / "mlruns")
    tracked = sync(results("zero_grad"), root, {})
    tags = {run.info.run_name: run.data.tags for run in runs(tracked)}
    warned = {name for name, some in tags.items() if some["flag.zero_grad"].startswith("warn")}
    assert warned == {"maml", "maml seed 1", "report"}
    where = "maml seed 1 one pgd eps 0.05: 3 of 12"
    assert tags["maml"]["flag.zero_grad"] == f"warn, 2 of 4 attacked results, {where}"
    assert tags["report"]["flag.zero_grad"] == f"warn, 2 of 8 attacked results, {where}"
    assert tags["supervised"]["flag.zero_grad"] == "pass: fine"
    assert tags["supervised seed 0"]["flag.control"] == "not run: why"
    assert {k for k in tags["maml"] if k.startswith("flag.")} == {f"flag.{name}" for name in FLAGS}

    sync(make_results(learners=("maml",), targets=("one",)), root, {})  # the attacks are gone, and what they said
    assert not [k for run in runs(tracked) for k in run.data.tags if k.startswith("flag.")]
