"""Each check of the configuration turns red when its fault is planted."""

from pathlib import Path

import pytest
import yaml as pyyaml

from robustmeta.config import arguments, corrupting
from robustmeta.config import explain as explaining
from robustmeta.config import load as loading
from robustmeta.config.load import StudyErrors, load_study
from robustmeta.config.yaml import Document, read
from robustmeta.corruptions.albumentations import Transform

TEXT = "name: x\nbudget:\n  images: 5\n  imagess: 6\nseeds: [0, x]\n"
EXPECTED = ("study.yaml:4:3: budget.imagess", "study.yaml:5:12: seeds.1")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text(TEXT)


def positions_are_right() -> bool:
    with pytest.raises(StudyErrors) as caught:
        load_study("study.yaml")
    return all(any(line.startswith(e) for line in caught.value.errors) for e in EXPECTED)


def test_positions_without_a_fault() -> None:
    assert positions_are_right()


def test_a_loader_that_loses_its_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "read", lambda content: Document(read(content).value))
    assert not positions_are_right()


def test_lines_counted_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustmeta.config.yaml._position", lambda mark: (mark.line, mark.column))
    assert not positions_are_right()


def test_the_value_taken_for_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    old = explaining._position
    monkeypatch.setattr(explaining, "_position", lambda document, place, key: old(document, place, key=False))
    assert not positions_are_right()


def test_pyyaml_s_own_scalars_would_be_wrong() -> None:
    text = "a: no\nb: 1e-3\nc: 1:30\nd: 8/255\n"
    assert read(text).value == {"a": "no", "b": 1e-3, "c": "1:30", "d": 8 / 255}
    assert pyyaml.safe_load(text) == {"a": False, "b": "1e-3", "c": 90, "d": "8/255"}


ARGUMENTS = """\
name: x
sources: [{name: glyphs, split: train}]
targets: [{name: glyphs, split: test}]
budget: {images: 100}
learners: [{name: protonet}]
shifts:
  - corruption: albumentations:GaussNoise
    levels:
      - {std_range: [0.3, 0.1], std_rang: 1}
      - {per_channel: 7}
"""
ARGUED = (
    "9:21: shifts.0.levels.0.std_range: ",
    "9:33: shifts.0.levels.0.std_rang: ",
    "10:23: shifts.0.levels.1.per_cha",
)


def wrong_arguments_are_told() -> bool:
    Path("study.yaml").write_text(ARGUMENTS)
    try:
        load_study("study.yaml")
    except StudyErrors as caught:
        errors = caught.errors
        told = zip(errors, ARGUED, strict=True) if len(errors) == len(ARGUED) else ()
        return bool(told) and all(line.startswith(f"study.yaml:{start}") for line, start in told)
    return False


def test_wrong_arguments_without_a_fault() -> None:
    assert wrong_arguments_are_told()


def test_levels_that_are_not_held_against_the_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transform, "check", lambda self, level: None)
    assert not wrong_arguments_are_told()


def test_levels_of_which_only_the_first_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrupting, "enumerate", lambda items: [(0, item) for item in items[:1]], raising=False)
    assert not wrong_arguments_are_told()


def test_arguments_that_are_known_but_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transform, "_build", lambda self, given: None)
    assert not wrong_arguments_are_told()


def test_arguments_that_are_tried_but_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Transform._build
    monkeypatch.setattr(Transform, "_known", ["std_range", "std_rang", "per_channel"])
    monkeypatch.setattr(
        Transform, "_build", lambda self, given: build(self, {k: v for k, v in given.items() if k != "std_rang"})
    )
    assert not wrong_arguments_are_told()


def test_arguments_whose_places_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    real = arguments.nested
    monkeypatch.setattr(arguments, "nested", lambda errors: real([{**e, "loc": ()} for e in errors]))
    assert not wrong_arguments_are_told()
