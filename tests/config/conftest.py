"""A study of toy components, which a plug-in file beside this one defines."""

from collections.abc import Callable
from pathlib import Path

import pytest

from robustmeta.config.load import StudyErrors, load_study
from robustmeta.config.study import Study

TOYS = str(Path(__file__).with_name("toys.py"))
STUDY = """\
name: toy
sources: [{name: toy-domain, split: train}]
targets:
  - {label: new, name: toy-domain, split: test}
  - {name: toy-domain, faces: [serif], split: test}
evaluation: {way: 5, shot: 1, query: 3, episodes: 4}
backbone: {name: toy-net, width: 8}
budget: {images: 1_000}
learners:
  - {name: toy-method, train: {way: 5, tasks: 2}, adapt: {steps: 3, rate: 1e-1}}
baselines:
  - {label: v2.base, name: toy-method, order: 1, adapt: toy-steps}
shifts:
  - {corruption: toy-noise, severity: [1, 3], place: both}
  - {attack: toy-attack, norm: l2, eps: [8/255, 0.1]}
"""


@pytest.fixture
def study_text() -> str:
    """A study that is right."""
    return STUDY


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """Load a study from text, written as study.yaml in the current folder."""
    monkeypatch.chdir(tmp_path)

    def loader(text: str | bytes = STUDY, *overrides: str) -> Study:
        Path("study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_study("study.yaml", overrides, [TOYS])

    return loader


@pytest.fixture
def wrong(load: Callable[..., Study]) -> Callable[..., list[str]]:
    """The lines of what is wrong with a study."""

    def errors(text: str | bytes = STUDY, *overrides: str) -> list[str]:
        with pytest.raises(StudyErrors) as caught:
            load(text, *overrides)
        assert str(caught.value) == "\n".join(caught.value.errors)
        return list(caught.value.errors)

    return errors
