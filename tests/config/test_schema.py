import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from robustmeta.config.schema import study_schema
from robustmeta.config.yaml import read
from robustmeta.registry import load_file


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    load_file(Path(__file__).with_name("toys.py"))
    return study_schema()


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_it_says_what_it_is(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema)) == schema
    text = json.dumps(schema)
    assert "A domain of nothing." in text  # docstrings of components


def test_a_right_study_validates(validator: Draft202012Validator, study_text: str) -> None:
    validator.validate(read(study_text).value)


def test_what_an_editor_reads_as_text_validates(validator: Draft202012Validator, study_text: str) -> None:
    value = read(study_text).value
    value["budget"]["images"] = "150_000"
    value["shifts"][1]["eps"] = ["8/255"]
    validator.validate(value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("budget:", "budgget:"),
        ("shot: 1", "shots: 1"),
        ("shot: 1", "shot: one"),
        ("way: 5, shot", "way: 1, shot"),
        ("steps: 3", "stesp: 3"),
        ("tasks: 2", "taks: 2"),
        ("order: 1", "order: 3"),
        ("toy-net", "toy-nett"),
        ("name: toy-method, order", "name: toymethod, order"),
        ("toy-noise", "toynoise"),
        ("severity: [1, 3]", "severity: [1, 9]"),
        ("severity: [1, 3]", "severty: [1, 3]"),
        ("eps: [8/255, 0.1]", "eps: -1"),
        (", eps: [8/255, 0.1]", ""),
        ("norm: l2", "norm: l3"),
        ("norm: l2", "place: support"),
        ("faces: [serif]", "faces: serif"),
        ("label: new", "label: New"),
        ("adapt: toy-steps", "adapt: toysteps"),
    ],
)
def test_a_wrong_study_does_not(validator: Draft202012Validator, study_text: str, old: str, new: str) -> None:
    assert study_text.count(old) == 1
    assert not validator.is_valid(read(study_text.replace(old, new)).value)


def test_components_of_ones_own_are_allowed(validator: Draft202012Validator, study_text: str) -> None:
    value = read(study_text).value
    value["learners"][0] = {"name": "mine.py:Method", "whatever": 1, "adapt": {"name": "lab.adapt:Mine", "x": 1}}
    value["shifts"][0]["corruption"] = "mine.py:noise"
    validator.validate(value)


README_STUDY = """\
name: quickstart
seeds: [0]
images:     {size: 28, channels: 1}
sources:    [{name: glyphs, faces: [sans], split: train}]
targets:
  - {label: new-characters, name: glyphs, faces: [sans], split: test}
  - {label: handwriting, name: digits}
validation: {split: val, episodes: 100, select: source_val}
evaluation: {seed: 0, way: 5, shot: 5, query: 15, episodes: 600}
backbone:   {name: conv4, width: 32}
budget:     {images: 150_000}
learners:
  - {name: maml, train: {way: 5, shot: 5, query: 5, tasks: 4}, adapt: {steps: 5}}
  - {name: reptile}
  - {name: protonet}
baselines:
  - {name: supervised, adapt: {name: linear_probe}}
shifts:
  - {corruption: gaussian_noise, severity: [1, 3, 5], place: query}
  - {corruption: my_lab.noise:dead_pixels, severity: [3]}
  - {attack: pgd, norm: linf, eps: [0.05, 0.1, 0.2], steps: 10, episodes: 20}
"""


def test_a_study_of_built_in_components(validator: Draft202012Validator) -> None:
    validator.validate(read(README_STUDY).value)


@pytest.mark.parametrize("typo", ["iner_steps: 5", "stesp: 5"])
def test_a_typo_in_it(validator: Draft202012Validator, typo: str) -> None:
    assert not validator.is_valid(read(README_STUDY.replace("adapt: {steps: 5}", f"adapt: {{{typo}}}")).value)


STUDIES = sorted((Path(__file__).parents[2] / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("study", STUDIES, ids=lambda p: p.name)
def test_the_studies_of_the_repository(validator: Draft202012Validator, study: Path) -> None:
    validator.validate(read(study.read_bytes()).value)
