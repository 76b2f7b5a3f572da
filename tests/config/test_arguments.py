"""Wrong arguments in the levels of a program of others are errors of the study, each at its place."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from robustmeta.cli import app
from robustmeta.config.study import Study
from robustmeta.corruptions import nrtk
from robustmeta.corruptions.albumentations import Transform

SHIFTS = """\
shifts:
  - corruption: albumentations:GaussNoise
    levels:
      - {std_range: [0.1, 0.2]}
      - {std_rang: [0.1, 0.2], mean_range: [0, 0]}
      - {std_range: strong, p: 0.5}
      - 0.2
  - {corruption: albumentations:ElasticTransform, levels: [{alpha: 20, sigma: -1}], label: bent}
  - {corruption: albumentations:RandomGridShuffle, levels: [{grid: [0, 3]}, {grid: [3, 3]}]}
  - {corruption: albumentations:Resize, levels: [{height: 20}]}
  - {corruption: toy-noise, levels: [anything]}
"""


@pytest.fixture
def text(study_text: str) -> str:
    return study_text.partition("shifts:")[0] + SHIFTS


def first_line(text: str) -> int:
    return text.partition("shifts:")[0].count("\n") + 1


def place(line: str) -> tuple[int, int, str]:
    _, row, column, where, *_ = line.split(":")
    return int(row), int(column), where.strip()


def test_all_of_them_are_said_at_once(wrong: Callable[..., list[str]], text: str) -> None:
    start = first_line(text)
    found = wrong(text.replace("name: toy\n", "nam: toy\n"))
    assert [place(line) for line in found] == [
        (1, 1, "nam"),
        (1, 1, "name"),
        (start + 4, 10, "shifts.0.levels.1.std_rang"),
        (start + 5, 21, "shifts.0.levels.2.std_range"),
        (start + 5, 29, "shifts.0.levels.2.p"),
        (start + 6, 9, "shifts.0.levels.3"),
        (start + 7, 79, "shifts.1.levels.0.sigma"),
        (start + 8, 68, "shifts.2.levels.0.grid"),
        (start + 9, 50, "shifts.3.levels.0.width"),
    ]
    said = "\n".join(found)
    for part in (
        "std_rang: unknown argument of GaussNoise 'std_rang'; did you mean std_range?",
        'std_range: expected a list; got "strong"',
        "p: unknown argument of GaussNoise 'p'; known: ",
        "levels.3: a level of GaussNoise is a mapping of its arguments (std_range, ",
        "sigma: expected greater than or equal to 1; got -1",
        "width: a value is required",
    ):
        assert part in said


STUDY = """\
name: short
sources: [{name: glyphs, split: train}]
targets: [{name: glyphs, split: test}]
budget: {images: 100}
learners: [{name: protonet}]
shifts: [{corruption: "albumentations:GaussNoise", levels: [{std_rang: [0.1, 0.2]}]}]
"""


@pytest.mark.parametrize("command", ["plan", "run", "report"])
def test_a_study_stops_before_anything_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(STUDY)
    told = CliRunner().invoke(app, [command, "study.yaml"])
    assert told.exit_code == 2
    where = "study.yaml:6:62: shifts.0.levels.0.std_rang"
    assert f"{where}: unknown argument of GaussNoise 'std_rang'; did you mean std_range?" in told.stderr
    assert [f.name for f in tmp_path.iterdir()] == ["study.yaml"]


def test_a_transform_is_built_once_a_level(
    load: Callable[..., Study], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, build = Counter[str](), Transform._build

    def counting(self: Transform, given: dict[str, Any]) -> Any:
        built[json.dumps(given)] += 1
        return build(self, given)

    monkeypatch.setattr(Transform, "_build", counting)
    levels = [{"std_range": [0.1, 0.2]}, {"std_range": [0.3, 0.3], "per_channel": False}]
    shift = {"corruption": "albumentations:GaussNoise", "levels": levels}
    study = load(text.partition("shifts:")[0] + f"shifts: {json.dumps([shift, {'corruption': 'toy-noise'}])}\n")
    assert [p.query[0].level for p in study.shifts[0].points(32, 9)] == levels
    assert built == Counter(map(json.dumps, levels))


def test_a_table_of_ours_is_not_built(load: Callable[..., Study], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transform, "_build", lambda self, given: pytest.fail("built"))
    load(text.partition("shifts:")[0] + "shifts: [{corruption: albumentations:GaussNoise}]\n")


@pytest.mark.slow
def test_only_a_study_that_names_it_imports_albumentations(tmp_path: Path) -> None:
    code = (
        "import sys; from robustmeta.config.load import load_study; load_study(sys.argv[1]);"
        "print('albumentations' in sys.modules)"
    )
    for shift, said in (("albumentations:GaussNoise", "True\n"), ("gaussian_noise", "False\n")):
        levels = "[{std_range: [0.1, 0.2]}]" if said == "True\n" else "[0.1]"
        text = STUDY.partition("shifts:")[0] + f"shifts: [{{corruption: {shift}, levels: {levels}}}]\n"
        (tmp_path / "study.yaml").write_text(text)
        told = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "study.yaml")], capture_output=True, text=True, check=True
        )
        assert told.stdout == said


class StrictPerturber:
    def __init__(self, factor: float = 0.5, seed: int | None = None) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"factor is within 0 and 1, not {factor}")


def test_a_perturber_of_nrtk_is_asked_too(
    wrong: Callable[..., list[str]], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nrtk, "_perturbers", lambda: {"StrictPerturber": StrictPerturber})
    levels = "[{factor: 0.5}, {factor: 7}, {seed: 3}, {}]"
    found = wrong(text.partition("shifts:")[0] + f"shifts: [{{corruption: nrtk:StrictPerturber, levels: {levels}}}]\n")
    row = first_line(text)
    assert found == [
        f"study.yaml:{row}:69: shifts.0.levels.1: "
        "StrictPerturber refuses the level: ValueError: factor is within 0 and 1, not 7",
        f"study.yaml:{row}:83: shifts.0.levels.2.seed: unknown argument of StrictPerturber 'seed'; known: factor",
    ]
