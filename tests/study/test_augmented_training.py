"""Augmented images: their draws, and shifts that a learner has seen before it meets them."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import trainings
from trainings import LEARNERS, Training, expect_same

from robustmeta.config.augmenting import transforms
from robustmeta.corruptions.albumentations_levels import LEVELS as theirs
from robustmeta.corruptions.nrtk_levels import LEVELS as others
from robustmeta.registry import builtin
from robustmeta.study.augment import OVERLAPS, augmenter, seen
from robustmeta.study.shifts import points

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def test_augmented_images_are_keyed(tmp_path: Path) -> None:
    trainings.expect_keyed_augmentation(tmp_path)


def test_each_image_has_a_draw_of_its_own_and_plain_images_too(tmp_path: Path) -> None:
    training = Training(tmp_path, "supervised", training={"augment": ["RandomHorizontalFlip"]})
    augment = augmenter(training.study.training)
    domain, diet = training.worker._source(), training.work.learner.method.diet()
    plain, flipped = (trainings.batch(domain, diet, 0, 0, a) for a in (None, augment))
    same = (flipped.x == plain.x).flatten(1).all(1)  # type: ignore[union-attr]
    mirrored = (flipped.x == plain.x.flip(-1)).flatten(1).all(1)  # type: ignore[union-attr]
    assert bool((same | mirrored).all())
    assert 5 < int(same.sum()) < 27
    assert torch.equal(flipped.y, plain.y)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", LEARNERS)
def test_every_kind_of_meal_can_be_augmented(tmp_path: Path, name: str) -> None:
    content = Training(tmp_path, name, budget={"steps": 2}, training={"augment": trainings.FLIPS}).run()
    assert content.protocol["steps"] == 2


def test_augmented_training_has_its_own_numbers_and_says_so(tmp_path: Path) -> None:
    training = Training(tmp_path, training={"augment": trainings.FLIPS})
    content = training.run()
    assert content.protocol["augmentation"] == "RandomCrop(size 16, padding 2), RandomHorizontalFlip"
    expect_same(training.run(), content)
    plain = Training(tmp_path).run()
    assert plain.protocol["augmentation"] == "none"
    assert not torch.equal(
        plain.tensors["model"]["body.block0.conv.weight"], content.tensors["model"]["body.block0.conv.weight"]
    )


SHIFTS = [
    {"corruption": "contrast", "severity": [3]},
    {"corruption": "brightness", "severity": [3]},
    {"label": "chain", "corruption": [{"gaussian_noise": 1}, {"contrast": 2}]},
    {"sequence": "rotate"},
    {"attack": "pgd", "eps": [0.1], "steps": 1},
]


@pytest.mark.parametrize(
    ("augment", "overlapping"),
    [
        ([], {}),
        (["RandomHorizontalFlip"], {}),
        ([{"ColorJitter": {"contrast": 0.3}}], {"contrast", "chain"}),
        ([{"ColorJitter": {"brightness": 0.3}}], {"brightness"}),
        ([{"RandomRotation": {"degrees": 10}}], {"rotate-frames"}),
        (["GaussianNoise"], {"chain"}),
        ([{"JPEG": {"quality": [10, 50]}}], {}),
    ],
)
def test_shifts_that_training_has_shown_are_named(augment: list[Any], overlapping: set[str]) -> None:
    study = tiny.study(shifts=SHIFTS, training={"augment": augment})
    noted = {p.label for p in points(study) if any(n.startswith("seen_shift") for n in p.notes)}
    assert noted == set(overlapping) == {p.label for p in points(study) if seen(study.training, p)}


def test_what_augmentation_overlaps_exists() -> None:
    known = {*builtin("corruptions"), *builtin("sequences"), *theirs, *others}
    assert set(OVERLAPS) <= set(transforms())
    assert {name for like in OVERLAPS.values() for names in like.values() for name in names} <= known
