import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robustmeta.cli import app

PLUGIN = """
from robustmeta import corruption

@corruption(levels=(0.02, 0.05, 0.10, 0.20, 0.40), family="noise", name="{name}")
def dead_pixels(x, p, rng):
    \"\"\"Zero a fraction p of the sites in every channel. x: (N, C, H, W) in [0, 1].\"\"\"
    return {result}
"""
GOOD = "x * (rng.uniform(1, *x.shape[2:]) >= p)"


def check(folder: Path, result: str, *args: str) -> Result:
    plugin = folder / f"plugin_{folder.name}.py"
    plugin.write_text(PLUGIN.format(name=folder.name.replace("_", "-"), result=result))
    return CliRunner().invoke(app, ["check", f"{plugin}:dead_pixels", *args])


def test_a_good_corruption_passes_and_is_drawn(tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    result = check(tmp_path, GOOD, "--sheet", str(sheet))
    assert result.exit_code == 0, result.output
    *lines, drawn = result.stdout.splitlines()
    assert len(lines) > 3
    assert all(line.startswith("ok     ") for line in lines)
    assert drawn == f"drawn: {sheet}"
    assert sheet.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("result", ["x * float('nan')", "x[..., 1:]", "x + 1", "x / 0 + [1]", "rng.nothing(1)"])
def test_a_bad_one_fails_with_its_reason(tmp_path: Path, result: str) -> None:
    sheet = tmp_path / "sheet.png"
    done = check(tmp_path, result, "--json", "--sheet", str(sheet))
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert not found["passed"]
    assert any(not f["passed"] and f["text"] for f in found["findings"])
    assert found["sheet"] == ""
    assert not sheet.exists()


def test_what_cannot_be_checked(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def f(:\n")
    result = CliRunner().invoke(app, ["check", f"{broken}:f"])
    assert (result.exit_code, result.stderr) == (2, f"{broken}:1: invalid syntax\n")
    result = CliRunner().invoke(app, ["check", "metrics:accuracy"])
    assert result.exit_code == 2
    assert "is one of the" in result.stderr
