"""Components of other packages: what works is used by name, what is broken is named and spoils nothing else."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml

from robustmeta.registry import builtin

pytestmark = pytest.mark.slow
PACKAGE = Path(__file__).parents[1] / "plugin_package"
NAMED = "dead_sites"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed in, as a user would."""
    source, target = tmp_path_factory.mktemp("source") / "acme", tmp_path_factory.mktemp("site")
    shutil.copytree(PACKAGE, source)  # building leaves files beside the source
    args = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run([sys.executable, "-m", "pip", "install", *args, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def call(site: Path, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line, with a folder of packages."""
    env = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "robustmeta", *args], capture_output=True, text=True, env=env, cwd=cwd or site
    )


@dataclass(frozen=True)
class Said:
    """What a command has said."""

    code: int
    stdout: str
    stderr: str


QUESTIONS = """
import json, sys
from typer.testing import CliRunner
from robustmeta.cli import app
done = [CliRunner().invoke(app, line.split()) for line in sys.argv[1:]]
print(json.dumps([(d.exit_code, d.stdout, d.stderr) for d in done]))
"""
"""Commands one after the other; a process for each would mostly import."""


def ask(site: Path, *lines: str) -> dict[str, Said]:
    """What commands that only read say, in one process with a folder of packages."""
    env = os.environ | {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", QUESTIONS, *lines], capture_output=True, text=True, env=env, cwd=site)
    assert done.returncode == 0, done.stderr
    return {line: Said(*said) for line, said in zip(lines, json.loads(done.stdout.splitlines()[-1]), strict=True)}


def components(said: Said) -> list[dict[str, str]]:
    """The rows of ``list --json``."""
    assert said.code == 0, said.stderr
    return json.loads(said.stdout)["components"]


LINES = (
    *("list corruptions --json", "list corruptions", "list --json", "schema"),
    *(f"describe {NAMED} --json", "describe acme_haze", "describe acme_neighbour --json"),
    *(f"check {NAMED} --json", "check acme_glare", "check acme_neighbour", "check acme_nearest"),
)


@pytest.fixture(scope="module")
def said(site: Path) -> dict[str, Said]:
    return ask(site, *LINES)


def test_list_names_the_package_and_what_is_broken(said: dict[str, Said]) -> None:
    rows = {r["name"]: r for r in components(said["list corruptions --json"])}
    assert builtin("corruptions").keys() | {NAMED, "acme_haze"} == rows.keys()
    assert rows[NAMED] == {
        **{"kind": "corruptions", "name": NAMED, "origin": "acme-shifts 1.2.0", "error": ""},
        "summary": "Zero a fraction p of the sites in every channel. x: (N, C, H, W) in [0, 1].",
    }
    assert rows["acme_haze"]["origin"] == "acme-shifts 1.2.0"
    assert {r["name"] for r in rows.values() if r["error"]} == {"acme_haze"}
    reason = "importing acme_shifts.haze failed: No module named 'acme_optics_that_nobody_has'"
    text = said["list corruptions"]
    assert text.code == 0
    assert text.stdout.splitlines()[-1] == (
        f"broken: corruptions acme_haze of acme-shifts 1.2.0: corruption 'acme_haze': {reason}"
    )
    assert sum("broken, see below" in line for line in text.stdout.splitlines()) == 1


def test_it_is_described_and_checked_like_any_other(said: dict[str, Said]) -> None:
    found = json.loads(said[f"describe {NAMED} --json"].stdout)
    assert (found["origin"], found["paper"]) == ("acme-shifts 1.2.0", "Acme 2026, Sensors that fail")
    assert found["tables"] == {"levels": [0.02, 0.05, 0.1, 0.2, 0.4]}
    done = said[f"check {NAMED} --json"]
    assert (done.code, json.loads(done.stdout)["passed"]) == (0, True)
    broken = said["describe acme_haze"]
    assert broken.code == 2
    assert "acme_optics_that_nobody_has" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_a_study_uses_it_by_name_and_gets_the_same_cells_from_its_file(site: Path, tmp_path: Path) -> None:
    file = site / "acme_shifts" / "sites.py"
    first = measured(site, tmp_path, NAMED)
    assert first["cells"]["failed"] == 0
    assert first["cells"]["computed"] > 0
    assert {(r["shift"], r["severity"]) for r in first["results"]} == {("clean", None), ("dead", 2), ("dead", 5)}
    second = measured(site, tmp_path, f"{file}:{NAMED}")
    assert second["cells"]["computed"] == 0
    assert second["results"] == first["results"]


def measured(site: Path, folder: Path, ref: str) -> dict[str, Any]:
    """A tiny study under a corruption; the object of ``run --json``."""
    shifts = [{"label": "dead", "corruption": ref, "severity": [2, 5]}]
    learners = [{"name": "protonet", "train": {"way": 4, "shot": 2, "query": 3, "tasks": 2}}]
    study = folder / "study.yaml"
    study.write_text(yaml.safe_dump(tiny.document(shifts=shifts, learners=learners, budget={"images": 100})))
    plugin = ["--plugin", str(Path(tiny.__file__))]
    done = call(site, "run", str(study), *plugin, "--root", str(folder / "runs"), "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


KINDS = {
    "attacks": ("acme_glare", "acme_laser"),
    "methods": ("acme_neighbour", "acme_lost"),
    "adaptations": ("acme_nearest", "acme_mixed"),
}
"""What of each kind works, and what does not."""
WHY = {
    "acme_laser": "attack 'acme_laser': importing acme_shifts.laser failed: No module named "
    "'acme_optics_that_nobody_has'",
    "acme_lost": "acme_shifts.learning: unknown name 'Neighbor'; did you mean Neighbour?",
    "acme_mixed": "acme_shifts.glare:Glare is the class Glare, not one of the adaptations",
}


def test_learners_and_attacks_are_listed_with_what_is_broken(said: dict[str, Said]) -> None:
    every = components(said["list --json"])
    for kind, (good, broken) in KINDS.items():
        rows = {r["name"]: r for r in every if r["kind"] == kind}
        assert builtin(kind).keys() | {good, broken} == rows.keys()
        assert {r["origin"] for name, r in rows.items() if name in (good, broken)} == {"acme-shifts 1.2.0"}
        assert {name: r["error"] for name, r in rows.items() if r["error"]} == {broken: WHY[broken]}
        assert rows[good]["summary"].startswith(("The worst of a query", "Learn features", "The class of the nearest"))


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_checked_like_any_other(said: dict[str, Said], kind: str) -> None:
    done = said[f"check {KINDS[kind][0]}"]
    assert done.code == 0, done.stdout + done.stderr
    assert all(line.startswith("ok     ") for line in done.stdout.splitlines())
    assert len(done.stdout.splitlines()) > 5


def test_they_are_described_like_any_other(said: dict[str, Said]) -> None:
    found = json.loads(said["describe acme_neighbour --json"].stdout)
    assert (found["kind"], found["origin"], found["paper"]) == ("methods", "acme-shifts 1.2.0", "Acme 2026, Neighbours")
    assert {"train.way", "rate"} <= {field["name"] for field in found["fields"]}


def test_a_study_that_names_what_is_broken_says_so_with_its_place(site: Path, tmp_path: Path) -> None:
    learner = {"name": "acme_neighbour", "adapt": {"name": "acme_mixed"}}
    shifts = [{"attack": "acme_laser", "eps": [0.1]}]
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(tiny.document(learners=[learner, {"name": "acme_lost"}], shifts=shifts)))
    done = call(site, "plan", str(study), "--plugin", str(Path(tiny.__file__)), cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        *("learners.0.adapt.name", "learners.1.name", "shifts.0.attack"),
    ]
    assert "not one of the adaptations" in lines[0]
    assert "did you mean Neighbour?" in lines[1]
    assert "acme_optics_that_nobody_has" in lines[2]


def test_the_schema_has_what_works(said: dict[str, Said]) -> None:
    done = said["schema"]
    assert done.code == 0, done.stderr
    for good, broken in KINDS.values():
        assert f'"const": "{good}"' in done.stdout
        assert f'"const": "{broken}"' not in done.stdout


def test_a_study_learns_and_attacks_with_them_however_they_are_named(site: Path, tmp_path: Path) -> None:
    """Installed, as an attribute of a file, and by the decorator of a plug-in file: the same cells."""
    inside, own = site / "acme_shifts", tmp_path / "own"
    own.mkdir()
    for name in ("learning.py", "glare.py"):
        shutil.copy(inside / name, own / name)
    by_file = {"acme_neighbour": "learning.py:Neighbour", "acme_nearest": "learning.py:Nearest"}
    by_file |= {"acme_glare": "glare.py:Glare"}
    first = learned(site, tmp_path, dict.fromkeys(by_file), ())
    assert first["cells"]["failed"] == 0
    assert first["cells"]["computed"] == first["cells"]["planned"] == 10
    places = {(r["learner"], r["shift"], r["eps"]) for r in first["results"]}
    assert places == {(n, *s) for n in ("acme", "pairs") for s in (("clean", None), ("glare", 0.05), ("glare", 0.3))}
    rows = {(r["learner"], r["eps"]): r["mean"] for r in first["results"] if r["metric"] == "accuracy"}
    assert all(rows[n, 0.3] <= rows[n, None] for n in ("acme", "pairs"))
    elsewhere = tmp_path / "nothing"
    elsewhere.mkdir()
    attribute = learned(elsewhere, tmp_path, {n: f"{own}/{ref}" for n, ref in by_file.items()}, (), "plan")
    decorated = learned(elsewhere, tmp_path, dict.fromkeys(by_file), (own / "learning.py", own / "glare.py"), "plan")
    for again in (attribute, decorated):
        assert again["cells"] == {"planned": 10, "cached": 10, "missing": 0}


def learned(
    site: Path, folder: Path, names: dict[str, str | None], plugins: tuple[Path, ...], command: str = "run"
) -> Any:
    """A tiny study with Acme's learner, adaptation and attack; the object of ``run --json`` or another command."""
    method, adaptation, attack = (names[n] or n for n in ("acme_neighbour", "acme_nearest", "acme_glare"))
    learners = [
        {"label": "acme", "name": method, "train": {"way": 4, "shot": 2, "query": 3, "tasks": 2}},
        {"label": "pairs", "name": "protonet", "train": {"way": 4, "tasks": 2}, "adapt": {"name": adaptation}},
    ]
    shifts = [{"label": "glare", "attack": attack, "eps": [0.05, 0.3]}]
    document = tiny.document(shifts=shifts, learners=learners, baselines=[], budget={"images": 200})
    study = folder / "learn.yaml"
    study.write_text(yaml.safe_dump(document | {"flag_episodes": 0}))
    args = [arg for plugin in (Path(tiny.__file__), *plugins) for arg in ("--plugin", str(plugin))]
    done = call(site, command, str(study), *args, "--root", str(folder / "runs"), "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


GOOD = (
    "from robustmeta import corruption\n"
    "@corruption(levels=(0.1,), family='noise', name={name!r})\n"
    "def f(x, p, rng):\n    return x\n"
)


def offer(site: Path, package: str, points: dict[str, str], modules: dict[str, str]) -> None:
    """Lay a package as an installer would: its modules, and a record of its entry points."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = ["[robustmeta.corruptions]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (info / "RECORD").write_text("".join(f"{module}.py,,\n" for module in modules))
    for module, source in modules.items():
        (site / f"{module}.py").write_text(source)


def test_every_way_to_be_broken_is_named_in_one_line(tmp_path: Path) -> None:
    modules = {
        "w_good": GOOD.format(name="w_good"),
        "w_syntax": "def f(:\n",
        "w_function": "def f(x):\n    return x\n\nclass Law:\n    pass\n",
        "w_taken": GOOD.format(name="contrast"),
        "w_exits": "import sys\nprint('noise')\nsys.exit('no licence\\nfound')\n",
    }
    points = {
        "w_good": "w_good:f",
        "w_syntax": "w_syntax:f",
        "w_function": "w_function:f",
        "w_class": "w_function:Law",
        "w_typo": "w_good:ff",
        "w_taken": "w_taken:f",
        "w_exits": "w_exits:f",
        "w_module": "w_good",
        "contrast": "w_good:f",
    }
    offer(tmp_path, "wrong", points, modules)
    offer(tmp_path, "later", {"w_good": "late:f"}, {"late": GOOD.format(name="late")})
    rows = components(ask(tmp_path, "list corruptions --json")["list corruptions --json"])
    assert all("\n" not in r["error"] for r in rows)
    found = {(r["name"], r["origin"]): r["error"] for r in rows}
    assert found["contrast", "robustmeta"] == ""
    assert found["w_good", "later 1.0"] == ""
    broken = {name: error for (name, origin), error in found.items() if error and origin == "wrong 1.0"}
    assert {origin for (_, origin), error in found.items() if error} == {"wrong 1.0"}
    importing = "corruption '{0}': importing {0} failed: ".format
    assert broken == {
        "w_syntax": importing("w_syntax") + "invalid syntax (w_syntax.py, line 1)",
        "w_function": "w_function:f is a function, not one of the corruptions",
        "w_class": "w_function:Law is the class Law, not one of the corruptions",
        "w_typo": "w_good: unknown name 'ff'; did you mean f?",
        "w_taken": importing("w_taken") + "corruptions: 'contrast' is built in; give yours another name",
        "w_exits": importing("w_exits") + "no licence found",
        "w_module": "corruption 'w_module' stands for 'w_good', no object of a module; expected module:attr",
        "contrast": "the name is built in; it can be used as w_good:f",
        "w_good": "the name is taken by later 1.0; it can be used as w_good:f",
    }
