"""The commands that a newcomer types, on the toy study. What is stopped, or compared, is a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from robustmeta.cli import app

ROOT = Path(__file__).resolve().parents[2]
SMOKE = "experiments/smoke.yaml"
ONE = (SMOKE, "seeds=[0]")
"""The study with one of its two seeds."""
LEARNERS = ("maml", "protonet", "cnp", "finetuned")
SHIFTS = (
    *("gaussian_noise", "contrast-both", "randomrain", "dead_pixels", "chain", "sides", "label_noise"),
    *("rotate-frames", "noise", "pgd", "draws", "poisoning", "smoothing"),
)
FIELDS = (
    "learner family source target shift place severity eps draws metric mean low high n_episodes n_seeds interval "
    "transductive baseline gain gain_low gain_high"
)


def robustmeta(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command at the root of the repository; its exit code is checked."""
    done = subprocess.run(
        [sys.executable, "-m", "robustmeta", *args], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == code, done.stderr[-3000:]
    return done


def typed(*args: str) -> str:
    """What a command prints, within this process at the root of the repository; it must not fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        done = CliRunner().invoke(app, list(args), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("mlruns")
    return root, json.loads(typed("run", *ONE, "--root", str(root), "--json"))


def test_run_prints_one_object_with_every_result(ran: tuple[Path, dict[str, Any]]) -> None:
    _, said = ran
    assert said["study"] == "smoke"
    assert said["cells"]["failed"] == 0
    assert said["cells"]["computed"] == said["cells"]["planned"] > 0
    assert set(said["mlflow"]) == {"tracking_uri", "experiment_id", "run_id"}
    row = said["results"][0]
    assert list(row) == FIELDS.split()
    assert {r["learner"] for r in said["results"]} == set(LEARNERS)
    assert {r["shift"] for r in said["results"]} == {*SHIFTS, "clean", "ensemble-minimum-linf"} - {"smoothing"}
    assert all(0 <= r["mean"] <= 1 for r in said["results"] if r["metric"] == "accuracy")


def test_a_second_run_computes_nothing_and_says_the_same(ran: tuple[Path, dict[str, Any]]) -> None:
    root, said = ran
    again = json.loads(typed("run", *ONE, "--root", str(root), "--json"))
    assert again["cells"] == {**said["cells"], "cached": said["cells"]["planned"], "computed": 0}
    assert again["results"] == said["results"]
    assert again["mlflow"] == said["mlflow"]


@pytest.mark.slow
def test_another_folder_gives_identical_records(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Another process's are those of this one; the whole file then computes the second seed alone."""
    root, said = ran
    other = json.loads(robustmeta("run", *ONE, "--root", str(tmp_path), "--json").stdout)
    assert other["results"] == said["results"]
    cells = sorted((root / "store").glob("*/queries.parquet"))
    assert len(cells) >= len(LEARNERS) * len(SHIFTS)
    for cell in cells:
        twin = tmp_path / "store" / cell.parent.name / cell.name
        pd.testing.assert_frame_equal(pd.read_parquet(cell), pd.read_parquet(twin), check_exact=True)
    whole = json.loads(robustmeta("run", SMOKE, "--root", str(tmp_path), "--json").stdout)
    half = said["cells"]["planned"]
    assert whole["cells"] == {"planned": 2 * half, "cached": half, "computed": half, "failed": 0}


def test_a_grown_study_computes_exactly_the_new_cells(ran: tuple[Path, dict[str, Any]]) -> None:
    root, _ = ran
    grown = json.loads(typed("plan", *ONE, "shifts.0.severity=[1,2,5]", "--root", str(root), "--json"))
    missing = [c for c in grown["rows"] if not c["cached"]]
    assert len(missing) == len(LEARNERS)
    assert {(c["shift"], c["step"]) for c in missing} == {("gaussian_noise", 2)}


def test_sync_rebuilds_without_duplicates(ran: tuple[Path, dict[str, Any]]) -> None:
    root, _ = ran
    import mlflow

    def runs() -> pd.DataFrame:
        client = mlflow.MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("smoke")
        found = client.search_runs([experiment.experiment_id], max_results=1000)
        return pd.DataFrame([{"id": r.info.run_id, **r.data.metrics} for r in found])

    before = runs()
    typed("sync", *ONE, "--root", str(root))
    pd.testing.assert_frame_equal(before, runs())
    assert len(before) == len(LEARNERS) * (1 + 1) + 1  # learners, their seed, the report


def test_report_is_one_file_with_the_records_in_it(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    root, _ = ran
    out = tmp_path / "report.html"
    typed("report", *ONE, "--root", str(root), "--out", str(out))
    text = out.read_text()
    assert all(shift in text for shift in SHIFTS)
    assert "<script" not in text.lower().replace("&lt;script", "")


def stored(root: Path) -> int:
    """How many cells are stored; the name of a draft begins with a dot."""
    return len(list((root / "store").glob("[!.]*/cell.json")))


def _hear_ctrl_c() -> None:
    """A shell lets what it starts in the background ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_ctrl_c_leaves_a_good_store_and_says_how_to_go_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "robustmeta", "run", SMOKE, "--root", str(tmp_path)]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, text=True, preexec_fn=_hear_ctrl_c, **pipes)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and stored(tmp_path) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "robustmeta run experiments/smoke.yaml" in err
    left = [p.name for p in (tmp_path / "store").iterdir()]
    assert left
    assert not [n for n in left if n.startswith(".")]
    planned = json.loads(typed("plan", SMOKE, "--root", str(tmp_path), "--json"))
    assert planned["cells"]["cached"] == len(left)


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    args = ["run", SMOKE, "seeds=[0]", "learners=[]", "--root", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "robustmeta", *args], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not stored(tmp_path):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = stored(tmp_path)
    said = json.loads(robustmeta(*args, "--json").stdout)
    assert said["cells"]["cached"] == done > 0
    assert said["cells"]["failed"] == 0
