"""The files that ``robustmeta new`` writes work as they are; where a name is refused, nothing is written."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robustmeta.cli import app


def call(*args: str) -> Result:
    return CliRunner().invoke(app, ["new", *args])


def test_the_written_corruption_passes_the_written_test(tmp_path: Path) -> None:
    folder = tmp_path / "my laws"
    done = call("corruption", "my_haze", "--dir", str(folder))
    assert done.exit_code == 0, done.output
    wrote, check, test, study = done.stdout.splitlines()
    assert wrote == f"wrote {folder}/my_haze.py and {folder}/test_my_haze.py; put your law into the first, then"
    assert shlex.split(check) == ["robustmeta", "check", f"{folder}/my_haze.py:my_haze", "--sheet", "my_haze.png"]
    assert study.endswith(f"- {{corruption: '{folder}/my_haze.py:my_haze', severity: [1, 3, 5]}}")
    command = [sys.executable, "-W", "error", "-m", *shlex.split(test), "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "2 passed" in told.stdout


@pytest.mark.slow
def test_the_written_test_fails_where_the_law_is_broken(tmp_path: Path) -> None:
    call("corruption", "my_haze", "--dir", str(tmp_path))
    file = tmp_path / "my_haze.py"
    file.write_text(file.read_text().replace("(1 - level) * x + level *", "x + 2 * level *"))
    command = [sys.executable, "-m", "pytest", str(tmp_path), "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert told.returncode == 1
    assert "2 failed" in told.stdout


@pytest.mark.usefixtures("fresh_plugins")
def test_the_written_corruption_passes_check_by_the_printed_name(tmp_path: Path) -> None:
    made = json.loads(call("corruption", "my_haze", "--dir", str(tmp_path), "--json").stdout)
    assert made["files"] == [str(tmp_path / "my_haze.py"), str(tmp_path / "test_my_haze.py")]
    name = shlex.split(made["next"][0])[2]
    assert CliRunner().invoke(app, ["check", name]).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        (
            "corruption",
            "my-haze",
            "'my-haze' is no name for a function: small letters, digits and _, such as ",
        ),
        ("corruption", "1st", "'1st' is no name for a function"),
        ("corruption", "MyHaze", "'MyHaze' is no name for a function"),
        ("corruption", "class", "'class' is no name for a function"),
        ("corruption", "../haze", "'../haze' is no name for a function"),
        ("corruption", "contrast", "there is a corruption 'contrast' already (robustmeta); choose another name"),
        ("corrupton", "haze", "unknown kind of component to write 'corrupton'; did you mean corruption?"),
    ],
)
def test_a_wrong_name_is_refused(tmp_path: Path, kind: str, name: str, said: str) -> None:
    done = call(kind, name, "--dir", str(tmp_path / "in"))
    assert done.exit_code == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["haze.py", "test_haze.py"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    done = call("corruption", "haze", "--dir", str(tmp_path))
    assert (done.exit_code, done.stderr) == (2, f"{tmp_path / there}: there already; choose another name or --dir\n")
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [(there, "mine")]
