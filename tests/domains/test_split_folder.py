"""Trees of published splits."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustmeta.core import DataError
from robustmeta.domains.split_folder import SplitFolder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for split, classes in {"train": "abc", "val": "d", "test": "ef"}.items():
        for c in classes:
            folder = tmp_path / "mini" / split / c
            folder.mkdir(parents=True)
            for i in range(3):
                Image.fromarray(np.full((20, 16, 3), ord(c) + i, np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "mini"


@pytest.mark.parametrize(("split", "classes"), [("train", "abc"), ("val", "d"), ("test", "ef")])
def test_a_split_has_its_own_classes(tree: Path, split: str, classes: str) -> None:
    domain = SplitFolder(path=tree, split=split).load(8, 3)
    assert domain.classes == tuple(classes)
    assert domain.labels.bincount().tolist() == [3] * len(classes)
    for image, label in zip(domain.images, domain.labels, strict=True):
        assert image.unique().numel() == 1
        assert ord(domain.classes[label]) <= int(image[0, 0, 0]) <= ord(domain.classes[label]) + 2


def test_the_digest_is_of_the_splits_bytes(tree: Path) -> None:
    digests = {split: SplitFolder(path=tree, split=split).digest() for split in ("train", "val", "test")}
    assert len(set(digests.values())) == 3
    Image.fromarray(np.zeros((20, 16, 3), np.uint8)).save(tree / "val" / "d" / "0.png")
    assert SplitFolder(path=tree, split="val").digest() != digests["val"]
    assert SplitFolder(path=tree, split="test").digest() == digests["test"]


def test_what_is_wrong_is_said(tree: Path) -> None:
    with pytest.raises(DataError, match="unknown split 'vall'; did you mean val"):
        SplitFolder(path=tree, split="vall").load(8, 3)
    (tree / "val" / "a").mkdir()
    Image.new("RGB", (8, 8)).save(tree / "val" / "a" / "x.png")
    with pytest.raises(DataError, match="class a stands in train and in val"):
        SplitFolder(path=tree).load(8, 3)
