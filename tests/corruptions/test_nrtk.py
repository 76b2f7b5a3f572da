"""What is said where NRTK is not installed, and of its levels; ``tests/parity/test_nrtk.py`` runs it."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from robustmeta.corruptions import nrtk as adapter
from robustmeta.corruptions.nrtk_levels import LEVELS
from robustmeta.registry import ComponentError, resolve
from robustmeta.sources import INSTALL

HIDE = "import sys; sys.modules['nrtk'] = None; "


def test_without_it_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter._perturbers.cache_clear()
    monkeypatch.setitem(sys.modules, "nrtk", None)
    with pytest.raises(ComponentError) as error:
        resolve("corruptions", "nrtk:HazePerturber")
    assert str(error.value).startswith("nrtk cannot be imported (")
    assert str(error.value).endswith("; pip install 'robustmeta[nrtk]'")


@pytest.mark.slow
def test_without_it_a_study_is_wrong_usage_in_one_line_and_the_rest_is_listed() -> None:
    code = HIDE + "from robustmeta.cli import app; app()"
    env = os.environ | {"COLUMNS": "400"}

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, env=env)

    told = call("describe", "nrtk:HazePerturber")
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert "pip install 'robustmeta[nrtk]'" in told.stderr
    rows = {r["name"]: r for r in json.loads(call("list", "corruptions", "--json").stdout)["components"]}
    assert rows["nrtk:*"]["origin"] == "robustmeta, nrtk is not installed: pip install 'robustmeta[nrtk]'"
    assert rows["contrast"]["error"] == ""


@pytest.mark.slow
def test_importing_the_adapter_imports_no_nrtk() -> None:
    code = "import sys; import robustmeta.corruptions.nrtk; print('nrtk' in sys.modules, 'skimage' in sys.modules)"
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False False\n"


def test_the_levels_are_five_and_json() -> None:
    assert len(LEVELS) >= 6
    for levels in LEVELS.values():
        assert len(levels) == 5
        assert len({json.dumps(level) for level in levels}) == 5
        assert len({frozenset(level) for level in levels}) == 1


def test_the_extra_of_the_message_is_one_that_the_package_has() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert INSTALL["nrtk"] == "robustmeta[nrtk]"
    assert project["optional-dependencies"]["nrtk"][0].startswith("nrtk[")
