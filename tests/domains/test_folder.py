import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from robustmeta.core import DataError
from robustmeta.domains.folder import Folder

CLASSES = ("<script>alert(1)<", "cat", "dog", "emu", "fox")


@pytest.fixture
def root(tmp_path):
    for d, domain in enumerate(("photo", "sketch")):
        for c, name in enumerate(CLASSES):
            for i in range(2):
                path = tmp_path / "pets" / domain / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (20, 12), (40 * c, 100 * d, 50 * i)).save(path)
    return tmp_path / "pets"


def test_classes_are_folders_whatever_they_are_called(root):
    domain = Folder(path=root, domain="photo").load(8, 3)
    assert domain.classes == CLASSES
    assert domain.images.shape == (10, 3, 8, 8)
    assert domain.images[3, :, 0, 0].tolist() == [40, 0, 50]
    assert set(domain.factors["domain"]) == {"photo"}


def test_several_domains_make_one(root):
    domain = Folder(path=root, domain=["sketch", "photo"]).load(8, 1)
    assert domain.images.shape == (20, 1, 8, 8)
    assert domain.classes == CLASSES
    assert sorted(set(domain.factors["domain"])) == ["photo", "sketch"]


def test_the_centre_square_is_taken(tmp_path):
    pixels = np.zeros((8, 24), np.uint8)
    pixels[:, 8:16] = 200
    path = tmp_path / "d" / "c" / "i.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path)
    assert Folder(path=tmp_path, domain="d").load(8, 1).images.unique().tolist() == [200]


def test_every_mode_of_image_is_read(tmp_path):
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK"):
        path = tmp_path / "d" / mode / ("i.tif" if mode == "CMYK" else "i.PNG")
        path.parent.mkdir(parents=True)
        Image.new(mode, (9, 9)).save(path)
    (tmp_path / "d" / "1" / "Thumbs.db").write_bytes(b"no image")
    assert Folder(path=tmp_path, domain="d").load(8, 3).images.shape == (6, 3, 8, 8)


def test_a_class_is_on_the_same_side_in_every_domain(root):
    def classes(domain, split):
        return set(Folder(path=root, domain=domain, split=split).load(8, 1).classes)

    parts = {s: classes("photo", s) for s in ("train", "val", "test")}
    assert [len(parts[s]) for s in ("train", "val", "test")] == [3, 1, 1]
    assert set.union(*parts.values()) == set(CLASSES)
    for path in (root / "sketch" / next(iter(parts["train"]))).iterdir():
        path.unlink()  # a class that one domain lacks does not move the others
    assert parts["val"] == classes("sketch", "val")
    assert parts["test"] == classes("sketch", "test")


def test_a_zip_is_the_same_data_and_the_path_does_not_matter(root, tmp_path):
    packed = tmp_path / "pets.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, file.relative_to(tmp_path))
        archive.writestr("__MACOSX/pets/photo/cat/._0.png", b"rubbish")
    one, two = Folder(path=root, domain="photo"), Folder(path=packed, domain="photo")
    assert one.digest() == two.digest()
    assert torch.equal(one.load(8, 3).images, two.load(8, 3).images)
    assert np.array_equal(one.load(8, 3).ids, two.load(8, 3).ids)


def test_the_digest_follows_the_chosen_bytes(root):
    photo, sketch = (Folder(path=root, domain=d).digest() for d in ("photo", "sketch"))
    assert photo != sketch
    Image.new("RGB", (20, 12), (1, 2, 3)).save(root / "photo" / "cat" / "0.png")
    assert Folder(path=root, domain="photo").digest() != photo
    assert Folder(path=root, domain="sketch").digest() == sketch
    (root / "sketch" / "cat" / "0.png").rename(root / "sketch" / "cat" / "9.png")
    assert Folder(path=root, domain="sketch").digest() != sketch


@pytest.mark.parametrize("damage", [b"", b"no image", None])
def test_a_broken_image_is_named(root, damage):
    path = root / "photo" / "cat" / "1.png"
    path.write_bytes(path.read_bytes()[:50] if damage is None else damage)
    with pytest.raises(DataError, match=r"photo/cat/1.png is no readable image"):
        Folder(path=root, domain="photo").load(8, 1)
    assert len(Folder(path=root, domain="sketch").load(8, 1).ids) == 10


def test_an_unknown_domain_is_an_error_with_a_suggestion(root):
    with pytest.raises(DataError, match=r"unknown domain 'foto'; did you mean photo"):
        Folder(path=root, domain="foto").digest()


def test_a_path_one_level_too_deep_is_an_error(root):
    with pytest.raises(DataError, match=r"no images in .*photo; expected"):
        Folder(path=root / "photo", domain="photo").digest()


def test_a_split_without_classes_is_an_error(tmp_path):
    path = tmp_path / "d" / "only" / "i.png"
    path.parent.mkdir(parents=True)
    Image.new("L", (9, 9)).save(path)
    with pytest.raises(DataError, match=r"no images in split train of d; the tree has 1 classes"):
        Folder(path=tmp_path, domain="d", split="train").digest()


def test_no_domain_is_an_error():
    with pytest.raises(ValidationError, match=r"domain"):
        Folder(domain=())


@pytest.mark.data
def test_pacs(data_dir):
    domain = Folder(path=data_dir / "pacs_subset", domain=("photo", "sketch")).load(64, 3)
    assert domain.images.shape == (2 * 7 * 12, 3, 64, 64)
    assert domain.classes == ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")
    photo, sketch = (domain.images[domain.factors["domain"] == d].float().std((1, 2, 3)) for d in ("photo", "sketch"))
    assert photo.mean() > 2 * sketch.mean() > 20
