import os
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from robustmeta.core import DataError
from robustmeta.domains.omniglot import EVALUATION, TEST, VAL, Omniglot

ALPHABETS = ("Armenian", "Greek", "Korean", "Latin")


def draw(path, seed, size=21):
    """A 1-bit drawing, ink = 0, as the real ones are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ink = np.random.default_rng(seed).random((size, size)) < 0.1
    Image.fromarray(~ink).save(path)


def pack(root, target, prefix=""):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in root.rglob("*"):
            archive.write(file, prefix + file.relative_to(root).as_posix())
    return target


@pytest.fixture
def root(tmp_path):
    for number in range(4 * 2 * 3):
        alphabet, character, writer = ALPHABETS[number // 6], number // 3 % 2 + 1, number % 3 + 1
        draw(
            tmp_path / f"data/images_background/{alphabet}/character{character:02}/{number:04}_{writer:02}.png", number
        )
    return tmp_path / "data"


def test_the_default_split_holds_out_five_alphabets_and_the_evaluation_set():
    assert len(VAL) == len(TEST) == 5
    assert len(EVALUATION) == 20
    assert len({*VAL, *TEST, *EVALUATION}) == 30


def test_ink_is_white_and_factors_say_where_a_drawing_is_from(root):
    domain = Omniglot(path=root).load(21, 1)
    assert domain.images.shape == (24, 1, 21, 21)
    ink = np.random.default_rng(0).random((21, 21)) < 0.1
    assert torch.equal(domain.images[0, 0], torch.from_numpy(ink * np.uint8(255)))
    assert domain.classes[:2] == ("Armenian/character01", "Armenian/character02")
    assert domain.factors["alphabet"][0] == "Armenian"
    assert domain.factors["writer"][2] == "Armenian/03"
    assert set(domain.factors["rotation"]) == {"0"}


def test_drawings_are_reduced_with_antialiasing(root):
    assert len(Omniglot(path=root).load(8, 1).images.unique()) > 20


def test_split_by_alphabet(root):
    def alphabets(**fields):
        return sorted({c.partition("/")[0] for c in Omniglot(path=root, **fields).load(8, 1).classes})

    assert alphabets(split="train") == ["Greek", "Latin"]
    assert alphabets(split="val") == ["Armenian"]
    assert alphabets(split="test") == ["Korean"]
    own = {"val": ("Greek",), "test": ("Latin", "Korean")}
    assert alphabets(split="train", **own) == ["Armenian"]
    assert alphabets(split="test", **own) == ["Korean", "Latin"]


def test_characters_are_drawn_from_all_alphabets(root):
    def classes(split, val, test, **fields):
        held = {"val": val, "test": test}
        return set(Omniglot(path=root, split=split, characters=held, **fields).load(8, 1).classes)

    parts = [classes(split, 2, 3) for split in ("train", "val", "test")]
    assert [len(p) for p in parts] == [3, 2, 3]
    assert set.union(*parts) == set(Omniglot(path=root).load(8, 1).classes)
    assert classes("test", 1, 3) == parts[2]
    assert len({c.partition("/")[0] for c in classes("test", 0, 7)}) == 4
    turned = classes("test", 2, 3, rotations=True)
    assert {c.rpartition("/")[0] for c in turned} == parts[2]  # all rotations of a character are on one side
    assert len(turned) == 12


def test_more_characters_than_there_are_is_an_error(root):
    with pytest.raises(DataError, match=r"has 8 characters: expected characters: to hold out fewer; got 8"):
        Omniglot(path=root, characters={"val": 3, "test": 5}).digest()


def test_a_split_without_characters_is_an_error(root):
    with pytest.raises(DataError, match=r"characters: holds out none for split val; set val: there"):
        Omniglot(path=root, split="val", characters={"val": 0, "test": 5}).digest()


def test_characters_beside_alphabets_is_an_error():
    with pytest.raises(ValidationError, match=r"expected no val and test beside it"):
        Omniglot(characters={"val": 3, "test": 5}, test=("Greek",))


def test_rotations_are_classes(root):
    plain, turned = (Omniglot(path=root, rotations=r).load(21, 1) for r in (False, True))
    assert len(turned.classes) == 4 * len(plain.classes)
    assert len(turned.ids) == 4 * len(plain.ids)
    assert np.array_equal(turned.ids[:24], plain.ids)
    quarter = np.flatnonzero(turned.factors["rotation"] == "90")
    assert torch.equal(turned.images[quarter], torch.rot90(plain.images, 1, (2, 3)))
    assert {turned.classes[c].rpartition("/")[2] for c in turned.labels[quarter]} == {"rot090"}


def test_a_zip_a_folder_and_the_tree_itself_are_the_same_data(root, tmp_path):
    paths = [
        root,
        root / "images_background",
        pack(root, tmp_path / "o.zip"),
        pack(root, tmp_path / "p.zip", "omniglot-py/"),
    ]
    sources = [Omniglot(path=p) for p in paths]
    assert len({s.digest() for s in sources}) == 1
    first, *others = [s.load(16, 1) for s in sources]
    for other in others:
        assert torch.equal(first.images, other.images)
        assert np.array_equal(first.ids, other.ids)


def test_the_digest_follows_bytes_and_choices_not_paths_or_other_splits(root):
    before = {s: Omniglot(path=root, split=s).digest() for s in ("all", "train", "val", "test")}
    assert len(set(before.values())) == 4
    assert Omniglot(path=root, rotations=True).digest() != before["all"]
    draw(next(root.rglob("Korean/character01/*.png")), 99)
    after = {s: Omniglot(path=root, split=s).digest() for s in before}
    assert [s for s in before if before[s] != after[s]] == ["all", "test"]
    moved = root.rename(root.with_name("moved"))
    assert Omniglot(path=moved).digest() == after["all"]


def test_a_changed_file_is_decoded_anew_an_unchanged_one_is_not_read(root, monkeypatch):
    first = Omniglot(path=root, split="test").load(21, 1)
    monkeypatch.setattr("robustmeta.domains.files.Directory.read", lambda *_: pytest.fail("read again"))
    assert torch.equal(Omniglot(path=root, split="test").load(21, 1).images, first.images)
    monkeypatch.undo()
    draw(root / "images_background/Korean/character01/0012_01.png", 99)
    assert not torch.equal(Omniglot(path=root, split="test").load(21, 1).images, first.images)


def test_relative_paths_are_looked_up_here_then_under_the_data_folder(root, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("ROBUSTMETA_DATA", raising=False)
    with pytest.raises(DataError, match=r"no data at .*elsewhere/data; set path: .* ROBUSTMETA_DATA"):
        Omniglot(path="data").digest()
    monkeypatch.setenv("ROBUSTMETA_DATA", str(tmp_path))
    digest = Omniglot(path="data").digest()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUSTMETA_DATA", os.devnull)
    assert Omniglot(path="data").digest() == digest


def test_an_unknown_alphabet_is_an_error_with_a_suggestion(root):
    with pytest.raises(DataError, match=r"unknown alphabet 'Koraen'; did you mean Korean"):
        Omniglot(path=root, test=("Koraen",)).load(8, 1)


def test_an_alphabet_on_both_sides_is_an_error():
    with pytest.raises(ValidationError, match=r"Greek cannot be in both val and test"):
        Omniglot(val=("Greek",), test=("Greek", "Latin"))


def test_a_split_without_alphabets_is_an_error(root):
    with pytest.raises(DataError, match=r"no alphabet of split train among Armenian"):
        Omniglot(path=root, split="train", val=("Armenian", "Greek"), test=("Korean", "Latin")).digest()


def test_the_same_drawing_twice_is_an_error(root):
    copy = root / "images_background_small1" / "Greek" / "character01" / "0006_01.png"
    draw(copy, 6)
    with pytest.raises(DataError, match=r"are both Greek/character01/0006_01.png; point path: at one"):
        Omniglot(path=root).digest()


@pytest.mark.parametrize("name", ["cut.zip", "rubbish.zip", "empty.zip"])
def test_an_unreadable_zip_is_an_error(root, tmp_path, name):
    whole = pack(root, tmp_path / "whole.zip").read_bytes()
    path = tmp_path / name
    path.write_bytes({"cut.zip": whole[:-100], "rubbish.zip": b"rubbish", "empty.zip": b""}[name])
    with pytest.raises(DataError, match=f"{name} is no readable zip"):
        Omniglot(path=path).digest()


def test_a_zip_with_a_damaged_member_is_an_error(root, tmp_path):
    path = pack(root, tmp_path / "o.zip")
    data = bytearray(path.read_bytes())
    start = data.index(b".png") + 10  # in the packed bytes of the first drawing
    data[start : start + 10] = bytes(10)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"no readable zip"):
        Omniglot(path=path).load(8, 1)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"no images in .* expected folders of folders of images"):
        Omniglot(path=tmp_path).digest()


@pytest.mark.slow
@pytest.mark.data
def test_the_real_background_set(data_dir):
    path = data_dir / "images_background.zip"
    parts = {s: Omniglot(path=path, split=s).load(28, 1) for s in ("train", "val", "test")}
    assert {s: len(d.classes) for s, d in parts.items()} == {"train": 634, "val": 148, "test": 182}
    assert {s: len(set(d.factors["alphabet"])) for s, d in parts.items()} == {"train": 20, "val": 5, "test": 5}
    assert len(set().union(*(d.classes for d in parts.values()))) == 964
    assert sum(len(set(d.ids)) for d in parts.values()) == 19280
    for domain in parts.values():
        assert torch.bincount(domain.labels).unique().tolist() == [20]
        assert 0.06 < domain.images.float().mean() / 255 < 0.1
