"""The commands against a stand-in for the package's API: what they parse, print and exit with."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from results_factory import make_results
from typer.testing import CliRunner, Result

import robustmeta
from robustmeta.cli import app
from robustmeta.cli.show import COLUMNS
from robustmeta.config.load import load_study
from robustmeta.core import CellError, DataError, StudyError
from robustmeta.registry import ComponentError
from robustmeta.store.results import CERTIFICATE_COLUMNS, no_certificates
from robustmeta.tracking import TrackingError

RUNNER = CliRunner()
POINT = {
    **dict(zip(COLUMNS, ["maml", "optimisation", "glyphs", "new", "fog", "query", 3.0], strict=False)),
    **{"eps": math.nan, "draws": math.nan, "metric": "accuracy"},
    **{"mean": 0.9, "low": 0.88, "high": 0.92, "n_episodes": 600, "n_seeds": 1, "interval": "episodes"},
    **{"transductive": False, "baseline": "supervised", "gain": 0.05, "gain_low": 0.01, "gain_high": 0.09},
    **{"axis": "severity", "role": "learner", "step": 3, "notes": ""},
}
CLEAN = POINT | {
    "shift": "clean",
    "axis": "clean",
    "severity": math.nan,
    "gain": math.nan,
    "gain_low": math.nan,
    "gain_high": math.nan,
}
BASE = CLEAN | {"learner": "supervised", "baseline": ""}
OTHER = POINT | {"metric": "nll", "mean": math.nan}


@dataclass(frozen=True)
class Row:
    learner: str
    seed: int
    kind: str
    target: str
    shift: str
    step: int
    key: str
    passes: int
    cached: bool
    estimate: bool = False
    gradient_passes: int = 0


@dataclass
class Api:
    """Remembers how it was called."""

    failures: dict[str, str] = field(default_factory=dict)
    error: BaseException | None = None
    warning: str = ""
    flagged: tuple[str, ...] = ()
    results: Any = None
    certificates: pd.DataFrame = field(default_factory=no_certificates)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def load_study(self, path: str, overrides: Any, plugins: Any, *, smoke: bool = False) -> Any:
        self.calls.append(("load", path, tuple(overrides), tuple(plugins)))
        return SimpleNamespace(name="toy")

    def run(self, study: Any, root: Path, progress: Any) -> Any:
        self.calls.append(("run", root))
        sys.stdout.write("a library that prints\n")
        progress.start(10, 2, 3)
        if self.error:
            raise self.error
        outcome = SimpleNamespace(planned=3, cached=2, computed=1 - len(self.failures), failures=self.failures)
        points = pd.DataFrame([CLEAN, POINT, BASE, OTHER])
        tracked = None if self.warning else SimpleNamespace(tracking_uri="sqlite:///x", experiment_id="1", run_id="r")
        made = {"study": study, "outcome": outcome, "points": points, "certificates": self.certificates}
        results = replace(self.results, outcome=outcome) if self.results else SimpleNamespace(**made)
        return SimpleNamespace(results=results, tracked=tracked, warning=self.warning, flagged=self.flagged)

    def leads(self) -> bool:
        return True

    def plan(self, study: Any, root: Path) -> Any:
        rows = [
            Row("maml", 0, "train", "", "", 0, "k1", 1000, True, gradient_passes=700),
            Row("maml", 0, "evaluate", "new", "fog", 3, "k2", 2500, False),
        ]
        return SimpleNamespace(rows=rows)

    def report(self, study: Any, out: Path, root: Path) -> Path:
        self.calls.append(("report", out, root))
        return out

    def sync(self, study: Any, root: Path) -> Any:
        return SimpleNamespace(tracking_uri="sqlite:///x", experiment_id="1", run_id="r", links={})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    fake = Api()
    monkeypatch.setitem(sys.modules, "robustmeta.api", fake)
    monkeypatch.setattr(robustmeta, "api", fake, raising=False)
    return fake


def call(*args: str) -> Result:
    return RUNNER.invoke(app, list(args))


def test_run_prints_a_table_and_what_it_did(api: Api) -> None:
    api.results = make_results()
    result = call(
        "run", "s.yaml", "seeds=[0,1]", "--plugin", "a.py", "--plugin", "b.py", "budget.images=5", "--root", "out"
    )
    assert result.exit_code == 0, result.output
    assert api.calls == [("load", "s.yaml", ("seeds=[0,1]", "budget.images=5"), ("a.py", "b.py")), ("run", Path("out"))]
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["new-characters"] in lines
    head = ["learner", "clean", "corrupted", "(1)", "attacked", "(2)", "worst", "(2)", "gain,", "clean"]
    assert head in lines
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert "3 cells: 2 were there, 1 computed" in result.stdout


def test_run_json_is_exactly_one_object(api: Api) -> None:
    result = call("run", "s.yaml", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert list(found) == ["study", "cells", "mlflow", "results", "certificates", "flagged"]
    assert found["cells"] == {"planned": 3, "cached": 2, "computed": 1, "failed": 0}
    assert found["mlflow"] == {"tracking_uri": "sqlite:///x", "experiment_id": "1", "run_id": "r"}
    assert [tuple(row) for row in found["results"]] == [COLUMNS] * 4
    clean, fog, _, nll = found["results"]
    assert (clean["severity"], clean["gain"], nll["mean"]) == (None, None, None)
    assert (fog["severity"], fog["eps"], fog["transductive"], fog["n_episodes"]) == (3, None, False, 600)
    assert "a library that prints" in result.stderr


def test_run_json_has_the_certificates(api: Api) -> None:
    row = dict.fromkeys(CERTIFICATE_COLUMNS, 0.5) | {"shift": "smoothing", "radius": math.nan}
    api.certificates = pd.DataFrame([row])
    (found,) = json.loads(call("run", "s.yaml", "--json").stdout)["certificates"]
    assert found == row | {"radius": None}


def test_failed_cells_are_named_and_the_others_kept(api: Api) -> None:
    api.failures = {"train maml seed 0": "loss became NaN at step 7"}
    result = call("run", "s.yaml", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["cells"]["failed"] == 1
    assert "failed: train maml seed 0: loss became NaN at step 7" in result.stderr


def test_a_flag_that_the_study_fails_on_is_said_at_the_end(api: Api) -> None:
    api.results, api.flagged = make_results(), ("zero_grad: gradient attacks are blind there; 1 of 3",)
    result = call("run", "s.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "flag zero_grad: gradient attacks are blind there; 1 of 3"
    assert "3 cells: 2 were there, 1 computed" in result.stdout  # and nothing is lost
    assert json.loads(call("run", "s.yaml", "--json").stdout)["flagged"] == list(api.flagged)


def test_a_tracking_server_that_is_down_costs_nothing(api: Api) -> None:
    api.warning = "no answer from http://x"
    result = call("run", "s.yaml", "seeds=[0, 1]", "--json", "--root", "out", "--plugin", "a.py")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["mlflow"] == {"tracking_uri": None, "experiment_id": None, "run_id": None}
    later = "robustmeta sync s.yaml 'seeds=[0, 1]' --plugin=a.py --root out"
    assert f"MLflow is behind: no answer from http://x; later: {later}" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StudyError("a 50-way task needs 50 classes"), 2, "a 50-way task needs 50 classes\n"),
        (ComponentError("x.py: no such plug-in file"), 2, "x.py: no such plug-in file\n"),
        (PermissionError("cannot write mlruns/store"), 2, "cannot write mlruns/store\n"),
        (DataError("omniglot: no folder data"), 3, "omniglot: no folder data\n"),
        (CellError("corruption x raised"), 1, "corruption x raised\n"),
        (TrackingError("no answer from http://x"), 1, "no answer from http://x\n"),
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError (robustmeta --debug shows where): "),
    ],
)
def test_errors_are_plain_text_with_an_exit_code(api: Api, error: Exception, code: int, said: str) -> None:
    api.error = error
    result = call("run", "s.yaml")
    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert "Error" not in result.stdout


def test_an_error_as_json(api: Api) -> None:
    api.error = DataError("nothing there")
    result = call("run", "s.yaml", "--json")
    assert json.loads(result.stdout) == {"error": "nothing there", "exit_code": 3}
    assert result.exit_code == 3


def test_debug_shows_the_traceback(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.error = StudyError("no")
    result = call("--debug", "run", "s.yaml")
    assert "Traceback" in result.stderr
    assert result.exit_code == 2
    monkeypatch.setenv("ROBUSTMETA_DEBUG", "1")
    assert "Traceback" in call("run", "s.yaml").stderr


def test_an_interrupted_run_says_how_to_go_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.error = KeyboardInterrupt()
    monkeypatch.setattr(sys, "argv", ["robustmeta", "run", "s.yaml", "seeds=[0, 1]"])
    result = call("run", "s.yaml", "seeds=[0, 1]")
    assert result.exit_code == 130
    assert "go on with: robustmeta run s.yaml 'seeds=[0, 1]'" in result.stderr


@pytest.mark.parametrize("args", [("run",), ("run", "s.yaml", "--jsn"), ("frobnicate",), ("ui", "--port", "0")])
def test_wrong_usage(args: tuple[str, ...]) -> None:
    result = call(*args)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_plan(api: Api) -> None:
    result = call("plan", "s.yaml")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["maml", "train", "1", "1", "1,000", "0"] in lines
    assert ["maml", "evaluate", "fog", "1", "0", "2,500", "2,500"] in lines
    assert ["all", "2", "1", "3,500", "2,500"] in lines
    found = json.loads(call("plan", "s.yaml", "--json").stdout)
    assert found["cells"] == {"planned": 2, "cached": 1, "missing": 1}
    assert found["passes"] == {"planned": 3500, "missing": 2500}
    assert found["gradient_passes"] == {"planned": 700, "missing": 0}
    assert "Training sends 700 images backward, 0 of them to do." in result.stdout
    assert found["rows"][1]["key"] == "k2"


def test_report_and_sync(api: Api) -> None:
    result = call("report", "s.yaml")
    assert result.stdout.strip() == "mlruns/reports/toy.html"
    call("report", "s.yaml", "--out", "x.html", "--root", "r")
    assert api.calls[-1] == ("report", Path("x.html"), Path("r"))
    assert call("sync", "s.yaml").stdout == "experiment 1 at sqlite:///x\n"


def test_ui_serves_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, int, bool]] = []

    def serve(root: Path, port: int, open_browser: bool, say: Callable[[str], None]) -> None:
        calls.append((root, port, open_browser))
        say("toy: http://127.0.0.1:5001/#/curves")
        raise KeyboardInterrupt

    monkeypatch.setattr("robustmeta.tracking.server.ui", serve)
    result = call("ui", "--port", "5001", "--no-open")
    assert (result.exit_code, calls) == (0, [(Path("mlruns"), 5001, False)])
    assert result.stdout == "toy: http://127.0.0.1:5001/#/curves\n"


def test_version_and_help() -> None:
    assert call("version").stdout.startswith("robustmeta ")
    assert "Exit codes: 0 done, 1 some cells failed" in " ".join(call("--help").stdout.split())


def test_a_wrong_study_end_to_end(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "load_study", load_study)
    study = tmp_path / "s.yaml"
    study.write_text("nme: x\n")
    result = call("plan", str(study), "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert f"{study}:1:1: nme: unknown key; did you mean name?" in found["error"]
    assert f"{study}:1:1: budget: a value is required" in found["error"]
