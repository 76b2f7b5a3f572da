"""Where ``robustmeta corrupt`` writes, and where it refuses to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corrupt_folders import FILES, NOISE, call, expected, picture, pixels, save
from PIL import Image

from robustmeta.cli.image_files import find, outputs
from robustmeta.core import DataError


def test_two_images_with_one_output_are_refused_before_anything_is_written(source: Path, tmp_path: Path) -> None:
    save(source, {"a/1.jpg": picture(number=1)})
    result = call(source, tmp_path / "out", *NOISE)
    assert result.exit_code == 3
    assert result.stderr == "a/1.jpg and a/1.png would both be written to a/1.png; rename one of them\n"
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=r"x.jpeg and x.jpg would both be written to x.png"):
        outputs(iter(["x.jpeg", "x.jpg"]))


def test_no_images_are_missing_data(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for source, said in ((tmp_path / "in", "no images in"), (tmp_path / "none", "no folder")):
        result = call(source, tmp_path / "out", *NOISE, "--json")
        assert result.exit_code == 3
        assert json.loads(result.stdout)["error"] == f"{said} {source}"
        assert not (tmp_path / "out").exists()


def test_a_target_within_the_source_or_the_other_way_round_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source / "a", target_is_directory=True)
    for target in (source, source / "a" / "out", tmp_path, tmp_path / "link" / "out"):
        result = call(source, target, *NOISE, "--overwrite")
        assert result.exit_code == 2
        assert "must not lie in one another" in result.stderr
    assert sorted(find(source)) == sorted(FILES)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--corruption", "contrast", "--severity", "3"), "corruption 'gaussian_noise' instead of 'contrast'"),
        (("--corruption", "gaussian_noise", "--severity", "2", "--overwrite"), "severity 3 instead of 2"),
        ((*NOISE, "--seed", "1", "--table", "64"), "table 'auto' instead of '64', seed 0 instead of 1"),
    ],
)
def test_a_folder_holds_one_corruption(source: Path, tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    call(source, tmp_path / "out", *NOISE)
    result = call(source, tmp_path / "out", *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert (pixels(tmp_path / "out/a/1.png") == expected(FILES["a/1.png"], "a/1.png")).all()


def test_images_of_somebody_else_are_never_taken_for_corrupted_ones(source: Path, tmp_path: Path) -> None:
    out = save(tmp_path / "out", {"a/1.png": picture(number=3)})
    result = call(source, out, *NOISE, "--overwrite")
    assert result.exit_code == 2
    assert "holds images that are not from this command" in result.stderr
    assert (pixels(out / "a/1.png") == np.asarray(picture(number=3))).all()


def test_a_file_is_whole_or_not_there(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Image.Image.save

    def full_disk(image: Image.Image, file: Path, *args: Any, **options: Any) -> None:
        write(image, file, *args, **options)
        if "5.PNG" in file.name:
            file.write_bytes(file.read_bytes()[:20])
            raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    result = call(source, tmp_path / "out", *NOISE)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "no space left on device")
    assert not (tmp_path / "out/b/5.PNG").exists()
    assert not [*(tmp_path / "out").rglob(".*")]
    monkeypatch.undo()
    assert call(source, tmp_path / "out", *NOISE).exit_code == 0
    assert (pixels(tmp_path / "out/b/5.PNG") == expected(FILES["b/5.PNG"], "b/5.PNG")).all()


def test_links_are_followed_and_never_in_a_circle(source: Path, tmp_path: Path) -> None:
    far = save(tmp_path / "far", {"6.png": picture()})
    (source / "far").symlink_to(far, target_is_directory=True)
    (source / "a" / "back").symlink_to(source, target_is_directory=True)
    assert sorted(find(source)) == sorted([*FILES, "far/6.png"])
