"""The sections ``training:`` and ``budget:`` of a study."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from robustmeta.config.schema import study_schema
from robustmeta.config.study import Study
from robustmeta.config.training import Budget, Training
from robustmeta.config.yaml import read

Load = Callable[..., Study]
Wrong = Callable[..., list[str]]
ALL = """\
training:
  schedule: linear
  warmup: 0.1
  clip: 10
  weight_decay: 5e-4
  augment: [{RandomCrop: {size: 28, padding: 4}}, RandomHorizontalFlip, {GaussianBlur: {kernel_size: 3}}]
  precision: bf16
  early_stop: 3
  save_every: 1_000
"""


def test_every_option(load: Load, study_text: str) -> None:
    training = load(study_text + ALL).training
    assert training.augment == (
        {"RandomCrop": {"size": 28, "padding": 4}},
        {"RandomHorizontalFlip": {}},
        {"GaussianBlur": {"kernel_size": 3}},
    )
    assert (training.schedule, training.warmup, training.clip, training.weight_decay) == ("linear", 0.1, 10.0, 5e-4)
    assert "save_every" not in training.identity()
    assert str(training) == "schedule linear, warmup 0.1, clip 10.0, weight_decay 0.0005, precision bf16, early_stop 3"
    assert training.augmentation.startswith("RandomCrop(size 28, padding 4), RandomHorizontalFlip, ")


def test_the_default_is_each_methods_own_way(load: Load) -> None:
    study = load()
    assert study.training == Training()
    assert (str(study.training), study.training.augmentation) == ("each method's own way", "none")


@pytest.mark.parametrize(
    ("budget", "text", "reproducible"),
    [
        ({"images": 1_000}, "1,000 images from the sampler", True),
        ({"steps": 2_000}, "2,000 training steps", True),
        ({"seconds": 90}, "90 seconds of training", False),
    ],
)
def test_budgets(budget: dict[str, Any], text: str, reproducible: bool) -> None:
    made = Budget.model_validate(budget)
    assert (str(made), made.reproducible, made.model_dump()) == (text, reproducible, budget)


FLIP = "RandomHorizontalFlip"
WRONG = [
    (
        "{images: 1_000}",
        "{}",
        "8:9: budget: give exactly one of images:, steps:, gradient_passes: or seconds:; got none",
    ),
    (
        "{images: 1_000}",
        "{images: 5, steps: 6}",
        "8:9: budget: give exactly one of images:, steps:, gradient_passes: or seconds:; got im",
    ),
    ("{images: 1_000}", "{seconds: 0}", "8:19: budget.seconds: expected greater than 0; got 0"),
    ("linear", "cosin", "17:13: training.schedule: expected 'cosine', 'linear', 'step' or 'constant'; got \"cosin\""),
    ("up: 0.1", "up: 1", "18:11: training.warmup: expected less than 1; got 1"),
    ("clip: 10", "clip: 0", "19:9: training.clip: expected greater than 0; got 0"),
    ("clip: 10", "clipp: 10", "19:3: training.clipp: unknown key; did you mean clip?"),
    ("bf16", "fp16", "22:14: training.precision: expected 'float32' or 'bf16'; got \"fp16\""),
    (
        FLIP,
        FLIP[:-1],
        "21:51: training.augment.1: unknown transform of torchvision.transforms.v2 'RandomHorizontalFli'; did",
    ),
    (
        "padding",
        "paddin",
        "21:37: training.augment.0.RandomCrop.paddin: unknown argument of RandomCrop 'paddin'; did you",
    ),
    (
        "size: 3",
        "size: 2",
        "21:88: training.augment.2.GaussianBlur: GaussianBlur refuses its arguments: Kernel size value",
    ),
    (
        "{size: 28, padding: 4}",
        "28",
        "21:26: training.augment.0.RandomCrop: expected a mapping of the arguments of Rand",
    ),
    (FLIP, "5", "21:51: training.augment.1: expected the name of a transform, or {name: {argument: value}}; got 5"),
    (
        "size: 28",
        "size: 20",
        "21:13: training.augment.0: RandomCrop must keep images uint8 (1, 28, 28); it makes uint8 (1, 20",
    ),
    (FLIP, "{Normalize: {mean: [0.5], std: [0.5]}}", "21:51: training.augment.1: Normalize cannot take images uint8"),
    (FLIP, "{FiveCrop: {size: 28}}", "FiveCrop must keep images uint8 (1, 28, 28); it makes tuple"),
    (FLIP, "RandomZoomOut", "RandomZoomOut must keep images"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_what_is_wrong_is_said_at_its_place(wrong: Wrong, study_text: str, old: str, new: str, message: str) -> None:
    text = study_text + ALL
    assert text.count(old) == 1
    (found,) = wrong(text.replace(old, new))
    assert message in found


def test_early_stop_needs_checks(wrong: Wrong, study_text: str) -> None:
    (found,) = wrong(study_text + ALL, "validation={select: last}")
    assert found.startswith("study.yaml:23:15: training.early_stop: stops by the checks of validation")


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(study_schema()["$defs"]["Training"])


def test_the_schema_takes_every_option(validator: Draft202012Validator) -> None:
    validator.validate(read(ALL).value["training"])
    assert not validator.is_valid({"precision": "fp16"})
    assert not validator.is_valid({"augment": [{"A": {}, "B": {}}]})
    assert not validator.is_valid({"augment": "RandomHorizontalFlip"})
    budgets = Draft202012Validator(study_schema()["$defs"]["Budget"])
    assert budgets.is_valid({"steps": 5})
    assert not budgets.is_valid({})
    assert not budgets.is_valid({"steps": 5, "images": 5})


@pytest.mark.slow
def test_torchvision_is_not_waited_for_without_an_augmentation() -> None:
    program = "import robustmeta.config.study, sys; assert 'torchvision' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
