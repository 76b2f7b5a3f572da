"""Each check of the configuration turns red when its fault is planted."""

from pathlib import Path

import pytest
import yaml as pyyaml

from robustmeta.config import explain as explaining
from robustmeta.config import load as loading
from robustmeta.config.load import StudyErrors, load_study
from robustmeta.config.yaml import Document, read

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
