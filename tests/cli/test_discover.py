import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from robustmeta.cli import app, discover
from robustmeta.cli import describe as describing
from robustmeta.registry import KINDS, Entry, builtin, resolve

TOYS = Path(__file__).parents[1] / "config" / "toys.py"
HEAVY = ("torch", "mlflow", "pandas", "numpy", "sklearn", "albumentations", "scipy", "matplotlib")


def call(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


@pytest.mark.parametrize(
    "args", [["--help"], ["run", "--help"], ["list"], ["list", "--json"], ["list", "methods"], ["version"]]
)
def test_what_answers_at_once_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys, contextlib\n"
        "from robustmeta.cli import app\n"
        f"with contextlib.suppress(SystemExit): app({args!r})\n"
        f"print('HEAVY', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    assert len(done.stdout.splitlines()) > 1


def test_list_names_everything_that_is_built_in() -> None:
    rows = json.loads(call("list", "--json").stdout)["components"]
    names = {(r["kind"], r["name"]) for r in rows}
    assert {(kind, name) for kind in KINDS for name in builtin(kind)} <= names
    assert all(r["origin"] for r in rows)


def test_learners_are_methods_and_a_typo_is_told() -> None:
    assert call("list", "learners").stdout == call("list", "methods").stdout
    result = call("list", "corruption")
    assert result.exit_code == 2
    assert result.stderr == "unknown kind 'corruption'; did you mean corruptions?\n"


def test_a_summary_is_read_without_importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "summed_up"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "laws.py").write_text(
        '"""The module."""\nraise RuntimeError("imported")\n'
        'class Law:\n    """A law.\n\n    More."""\n'
        'def f(x):\n    """A function."""\nmade = Made("made", f, "An object.")\n'
    )
    (package / "broken.py").write_text("def (:\n")
    monkeypatch.syspath_prepend(tmp_path)

    def line(target: str) -> str:
        return discover.summary(Entry("methods", "x", target, ""))

    assert line("summed_up.laws:Law") == "A law."
    assert line("summed_up.laws:f") == "A function."
    assert line("summed_up.laws:made") == "An object."
    assert line("summed_up.laws:none") == "The module."
    assert line("summed_up.broken:x") == ""
    assert line("summed_up.nothing:x") == ""
    assert line("no_such_package.nothing:x") == ""


def test_describe_a_component() -> None:
    text = call("describe", f"{TOYS}:ToyMethod").stdout
    assert "toy-method (methods)" in text
    assert "Learns nothing." in text
    assert "paper: Nobody 2020" in text
    assert "origin: toys.py" in text
    found = json.loads(call("describe", f"{TOYS}:ToySteps", "--json").stdout)
    steps, rate = found["fields"]
    assert (steps["name"], steps["type"], steps["default"], steps["required"]) == ("steps", "int", 5, False)
    assert steps["limits"].startswith("≥ 0")
    assert rate["default"] == "auto"
    train = json.loads(call("describe", f"{TOYS}:ToyMethod", "--json").stdout)["fields"][0]
    assert (train["name"], train["default"]) == ("train.way", 5)


def test_describe_a_corruption_with_its_tables() -> None:
    found = json.loads(call("describe", f"{TOYS}:TOY_NOISE", "--json").stdout)
    assert found["tables"] == {"32": [1, 2, 3, 4, 5], "64": [2, 3, 4, 5, 6]}
    assert (found["kind"], found["doc"], found["origin"]) == ("corruptions", "Adds nothing.", "toys.py")
    assert "severity table 64: 2, 3, 4, 5, 6" in call("describe", f"{TOYS}:TOY_NOISE").stdout


def test_everything_that_is_listed_can_be_described() -> None:
    for kind in KINDS:
        for name in builtin(kind):
            if not name.endswith(":*"):
                result = call("describe", f"{kind}:{name}", "--json")
                assert result.exit_code == 0, result.stderr
                assert json.loads(result.stdout)["doc"], f"{kind}:{name} has no documentation"


@pytest.mark.parametrize("kind", ["methods", "adaptations", "attacks", "backbones", "domains"])
def test_described_defaults_are_those_that_it_is_made_with(kind: str) -> None:
    seen = 0
    for name in builtin(kind):
        rows = describing.describe(f"{kind}:{name}")["fields"]
        if any(row["required"] for row in rows if "." not in row["name"]):
            continue
        made = resolve(kind, name)().model_dump(mode="json")  # type: ignore[operator]
        for row in rows:
            value = made
            for part in row["name"].split("."):
                value = value if value is None else value.get(part)
            if value is not None:
                assert value == row["default"], f"{kind}:{name} {row['name']}"
                seen += "." in row["name"]
    assert seen or kind != "methods"


def test_a_name_that_two_kinds_share(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = {"methods": [Entry("methods", "twin", "a:b", "x")], "attacks": [Entry("attacks", "twin", "a:b", "x")]}
    monkeypatch.setattr(describing, "entries", lambda kind: shared.get(kind, []))
    result = call("describe", "twin")
    assert result.exit_code == 2
    assert result.stderr == "'twin' names 2 things; say methods:twin or attacks:twin\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("accuracyy", "unknown component 'accuracyy'; did you mean accuracy?"),
        ("metrics:accuracyy", "did you mean accuracy?"),
        (f"{TOYS}:ToyMethodd", "did you mean ToyMethod?"),
        ("none.py:x", "no such plug-in file"),
        ("no_such_module:x", "importing no_such_module failed"),
    ],
)
def test_a_name_that_is_nothing(name: str, said: str) -> None:
    result = call("describe", name)
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_schema_is_printed() -> None:
    result = call("schema")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["$schema"].endswith("2020-12/schema")
