"""The runs that ``sync`` leaves in MLflow."""

import dataclasses
import json
import math
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from results_factory import make_results
from tracking_audit import audit, histories, make_root, runs

from robustmeta.store.palette import colours
from robustmeta.store.results import Outcome, Results
from robustmeta.tracking import Tracked, TrackingError, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow")  # of its own code


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_root(tmp_path / "mlruns")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    report, table = tmp_path / "report.html", tmp_path / "results.csv"
    report.write_text("<h1>Report</h1>")
    table.write_text("a,b\n1,2\n")
    return {"report.html": report, "results.csv": table}


def small(**changes: Any) -> Results:
    """A learner, a baseline, one seed, one target."""
    return make_results(**{"seeds": (0,), "learners": ("maml",), "targets": ("one",)} | changes)


def without(results: Results, where: Any) -> Results:
    """Results in which some accuracies were never measured: NaN in points, no row in seeds."""
    points = results.points.copy()
    points.loc[where(points), ["mean", "gain"]] = math.nan
    return dataclasses.replace(results, points=points, seeds=results.seeds[~where(results.seeds)])


def failing(results: Results, **failures: str) -> Results:
    failures = {name.replace("_", " "): reason for name, reason in failures.items()}
    return dataclasses.replace(results, outcome=Outcome(10, 4, 6, failures))


def by_name(tracked: Tracked) -> dict[str, Any]:
    return {run.info.run_name: run for run in runs(tracked)}


def test_layout_and_records(root: Path, files: dict[str, Path]) -> None:
    results = make_results()
    tracked = sync(results, root, files)
    audit(tracked, results)
    found = by_name(tracked)
    maml, seed, report = found["maml"], found["maml seed 0"], found["report"]
    assert maml.data.tags["robustmeta.kind"] == "learner"
    assert maml.data.tags["robustmeta.digest"] == results.digest
    assert maml.data.tags["mlflow.runColor"] == colours(["maml", "protonet", "supervised"])["maml"]
    assert maml.data.params["method"] == "maml"
    assert maml.data.params["adaptation"] == "gradient"
    assert maml.data.params["adapt.steps"] == str(results.study.learners[0].adapt.model_dump()["steps"])
    assert maml.data.params["seeds"] == "0 1"
    assert seed.data.params["seed"] == "0"
    assert seed.data.params["tuned"] == "penalty 0.1"
    assert report.info.run_id == tracked.run_id
    assert not report.data.metrics
    inputs = [(i.dataset.name, i.tags[0].value) for i in maml.inputs.dataset_inputs]
    assert inputs == [("new-characters", "evaluation"), ("handwriting", "evaluation"), ("glyphs", "training")]


def test_histories_of_training_are_the_seeds_own(root: Path) -> None:
    results = small(seeds=(1,))
    told = histories(sync(results, root, {}))
    rows = results.training[(results.training["learner"] == "maml") & (results.training["seed"] == 1)]
    assert [(s, v) for s, v, _ in told["maml seed 1"]["train/loss"]] == list(
        zip(rows["step"], rows["loss"], strict=True)
    )
    assert [s for s, _, _ in told["maml seed 1"]["val/accuracy"]] == [50, 100]
    assert "train/loss" not in told["maml"]


def test_summaries_are_means_over_curves_to_four_decimals(root: Path) -> None:
    results = small(targets=("one", "two"), eps=(0.05, 0.1, 0.123))
    metrics = by_name(sync(results, root, {}))["maml"].data.metrics
    p = results.points[(results.points["metric"] == "accuracy") & (results.points["learner"] == "maml")]
    assert metrics["summary/clean_acc"] == round(p[p["axis"] == "clean"]["mean"].mean(), 4)
    assert metrics["summary/corrupted_acc"] == round(p[p["axis"] == "severity"]["mean"].mean(), 4)
    assert metrics["summary/attacked_acc"] == round(p[p["axis"] == "eps"]["mean"].mean(), 4)
    assert metrics["summary/worst_acc"] == round(p["mean"].min(), 4)
    assert metrics["summary/gain"] == 0.05


def test_artifacts_are_kept_beside_the_database(root: Path, files: dict[str, Path]) -> None:
    tracked = sync(small(), root, files)
    client = MlflowClient(tracked.tracking_uri)
    assert tracked.tracking_uri == f"sqlite:///{root}/mlflow.db"
    assert [a.path for a in client.list_artifacts(tracked.run_id)] == ["report.html", "results.csv"]
    kept = root / "artifacts" / "made" / tracked.run_id / "artifacts" / "report.html"
    assert kept.read_text() == "<h1>Report</h1>"
    files["report.html"].write_text("<h1>Another</h1>")
    assert sync(small(), root, files).run_id == tracked.run_id
    assert kept.read_text() == "<h1>Another</h1>"


def test_syncing_again_changes_nothing(root: Path, files: dict[str, Path]) -> None:
    results = small()
    first = sync(results, root, files)
    before, told = {r.info.run_id: r.to_dictionary() for r in runs(first)}, histories(first)
    assert sync(results, root, files) == first
    assert {r.info.run_id: r.to_dictionary() for r in runs(first)} == before
    assert histories(first) == told


def test_a_deleted_database_is_rebuilt(root: Path, files: dict[str, Path]) -> None:
    results = small()
    told = histories(sync(results, root, files))
    make_root(root)
    again = sync(results, root, files)
    assert histories(again) == told
    audit(again, results)


def test_a_grown_study_replaces_what_changed_and_keeps_the_rest(root: Path) -> None:
    first = by_name(sync(small(), root, {}))
    grown = dataclasses.replace(small(seeds=(0, 1), severities=(1, 2, 3, 5)), digest="e" * 64)
    tracked = sync(grown, root, {})
    audit(tracked, grown)
    assert {run.data.tags["robustmeta.digest"] for run in runs(tracked)} == {grown.digest}
    shrunk = dataclasses.replace(small(), digest="f" * 64)
    audit(sync(shrunk, root, {}), shrunk)
    assert by_name(tracked)["report"].info.run_id == first["report"].info.run_id


def test_runs_whose_content_stays_are_kept(root: Path) -> None:
    first = by_name(sync(small(), root, {}))
    other = dataclasses.replace(small(learners=("maml", "protonet")), digest="e" * 64)
    found = by_name(sync(other, root, {}))
    assert found["maml seed 0"].info.run_id == first["maml seed 0"].info.run_id
    assert found["maml seed 0"].data.tags["robustmeta.digest"] == other.digest


def test_two_studies_have_two_experiments(root: Path) -> None:
    one, two = small(name="one"), small(name="two")
    first, second = sync(one, root, {}), sync(two, root, {})
    assert first.experiment_id != second.experiment_id
    audit(first, one)
    audit(second, two)


def test_runs_of_others_are_left_alone(root: Path) -> None:
    results = small()
    tracked = sync(results, root, {})
    client = MlflowClient(tracked.tracking_uri)
    mine = client.create_run(tracked.experiment_id, run_name="mine").info.run_id
    sync(results, root, {})
    assert client.get_run(mine).info.lifecycle_stage == "active"


def test_a_half_written_run_is_written_anew(root: Path) -> None:
    results = small()
    tracked = sync(results, root, {})
    client = MlflowClient(tracked.tracking_uri)
    half = by_name(tracked)["maml"].info.run_id
    client.delete_tag(half, "robustmeta.content")
    again = sync(results, root, {})
    audit(again, results)
    assert by_name(again)["maml"].info.run_id != half


def test_a_moved_folder_gets_an_experiment_of_its_own(root: Path, files: dict[str, Path]) -> None:
    results = small()
    sync(results, root, files)
    moved = root.rename(root.with_name("elsewhere"))
    tracked = sync(results, moved, files)
    audit(tracked, results)
    client = MlflowClient(tracked.tracking_uri)
    assert client.get_run(tracked.run_id).info.artifact_uri.startswith((moved / "artifacts").as_uri())
    assert len(client.search_experiments(filter_string="name LIKE 'made%'")) == 1


def test_a_deleted_experiment_comes_back(root: Path) -> None:
    results = small()
    tracked = sync(results, root, {})
    MlflowClient(tracked.tracking_uri).delete_experiment(tracked.experiment_id)
    assert sync(results, root, {}) == tracked
    audit(tracked, results)


def test_missing_points_are_skipped_and_named(root: Path) -> None:
    results = small(learners=("maml", "protonet"), seeds=(0, 1))
    lost = without(results, lambda t: (t["learner"] == "maml") & (t["shift"] == "gaussian_noise") & (t["step"] == 3))
    lost = failing(lost, evaluate_maml_seed_0_one_gaussian_noise_3="it raised")
    tracked = sync(lost, root, {})
    maml, protonet = by_name(tracked)["maml"], by_name(tracked)["protonet"]
    assert [s for s, _, _ in histories(tracked)["maml"]["acc/one/gaussian_noise"]] == [0, 1, 5]
    assert not {"summary/corrupted_acc", "summary/worst_acc", "summary/gain"} & set(maml.data.metrics)
    assert "summary/clean_acc" in maml.data.metrics
    assert "it raised" in maml.data.tags["robustmeta.incomplete"]
    assert maml.info.status == "FAILED"
    assert protonet.info.status == "FINISHED"
    assert "robustmeta.incomplete" not in by_name(tracked)["maml seed 1"].data.tags
    whole = by_name(sync(results, root, {}))["maml"]
    assert whole.info.status == "FINISHED"
    assert "robustmeta.incomplete" not in whole.data.tags


def test_a_diverged_learner_is_tagged_and_logs_no_nan(root: Path) -> None:
    results = without(small(), lambda t: t["learner"] == "maml")
    reason = "the loss became nan at step 7 of 90; the last finite loss was 2.1"
    tracked = sync(failing(results, train_maml_seed_0=reason, evaluate_maml_seed_0_one_clean="no network"), root, {})
    maml = by_name(tracked)["maml"]
    assert maml.data.tags["diverged"] == "true"
    assert "2 cells without a result" in maml.data.tags["robustmeta.incomplete"]
    assert not maml.data.metrics


def test_no_shift_at_all_still_shows_clean(root: Path) -> None:
    results = small(severities=(), eps=())
    metrics = by_name(sync(results, root, {}))["maml"].data.metrics
    assert set(metrics) == {"acc/one/clean", "summary/clean_acc", "summary/worst_acc", "summary/gain"}


def test_views_note_and_links(root: Path) -> None:
    tracked = sync(make_results(), root, {})
    tags = MlflowClient(tracked.tracking_uri).get_experiment(tracked.experiment_id).tags
    views = {k.removeprefix("mlflow.sharedViewState."): json.loads(v) for k, v in tags.items() if "sharedView" in k}
    assert {v["name"] for v in views.values()} == {"Robustness curves", "Results by learner", "Spread over seeds"}
    for key, view in views.items():
        assert set(view) == {"name", "createdAt", "updatedAt", "state"}
        assert type(view["createdAt"]) is int
        state = json.loads(view["state"])
        assert state["searchFilter"] == f"tags.`robustmeta.kind` = '{'seed' if 'seeds' in key else 'learner'}'"
        assert state["orderByKey"] == "metrics.`summary/corrupted_acc`"
        assert state["runsHiddenMode"] == "SHOW_ALL"
        assert (state["groupBy"] is None) == ("seeds" not in key)
        shown = [s["name"] for s in state["compareRunSections"] if s["display"]]
        assert shown == ["acc/new-characters", "acc/handwriting"]
        assert len(tags["mlflow.sharedViewState." + key]) <= 20_000
    first = tags["mlflow.note.content"].splitlines()[0]
    assert tracked.curves in first
    assert tracked.table in first
    assert tracked.report in first
    assert "viewStateShareKey=robustmeta-curves" in tracked.curves
    assert f"/runs/{tracked.run_id}/artifacts/report.html" in tracked.report


def test_a_server_that_is_down_is_one_clear_error_soon(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    start = time.monotonic()
    with pytest.raises(TrackingError, match=r"records are safe.*robustmeta sync") as caught:
        sync(small(), tmp_path, files)
    assert time.monotonic() - start < 20
    assert uri in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_database_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(TrackingError, match="records are safe"):
        sync(small(), tmp_path, {})


def test_an_unwritable_folder_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "file").write_text("")
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(TrackingError, match="records are safe"):
        sync(small(), tmp_path, {})
    with pytest.raises(TrackingError, match="records are safe"):
        sync(small(), tmp_path / "file" / "mlruns", {})


@pytest.mark.slow
def test_mlflow_is_imported_late_and_with_telemetry_off() -> None:
    code = (
        "import os, sys\n"
        "import robustmeta.tracking.server, robustmeta.tracking as tracking\n"
        "from pathlib import Path\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'mlflow': os._exit(0 if os.environ.get('MLFLOW_DISABLE_TELEMETRY') == 'true' else 7)\n"
        "if 'mlflow' in sys.modules: os._exit(8)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "tracking.sync(None, Path('.'), {})\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env={"PATH": "/usr/bin"}).returncode == 0


def test_results_frame_is_left_as_it_was(root: Path) -> None:
    results = small()
    points, seeds = results.points.copy(), results.seeds.copy()
    sync(results, root, {})
    pd.testing.assert_frame_equal(results.points, points)
    pd.testing.assert_frame_equal(results.seeds, seeds)
