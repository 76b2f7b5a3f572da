"""What ``robustmeta corrupt`` makes of formats, modes, sizes and broken files."""

import json
from pathlib import Path

import numpy as np
import pytest
from corrupt_folders import FILES, NOISE, call, expected, opened, picture, pixels, save
from PIL import Image, ImageOps

import robustmeta as rm
from robustmeta.cli.image_files import find


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "gif"])
def test_formats_that_lose_pixels_become_png(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path / "in", {f"x.y.{suffix}": picture(40, 32)})
    assert call(source, tmp_path / "out", *NOISE).exit_code == 0
    given = opened(source / f"x.y.{suffix}").convert("RGB")
    assert (pixels(tmp_path / "out" / "x.y.png") == expected(given, f"x.y.{suffix}")).all()


def test_the_orientation_of_a_photograph_is_applied(tmp_path: Path) -> None:
    image, exif = picture(48, 32), Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    image.save(tmp_path / "in" / "p.jpg", exif=exif, quality=95)
    call(tmp_path / "in", tmp_path / "out", *NOISE)
    turned = ImageOps.exif_transpose(opened(tmp_path / "in" / "p.jpg"))
    made = opened(tmp_path / "out" / "p.png")
    assert made.size == turned.size == (32, 48)
    assert not made.getexif()
    assert (np.asarray(made) == expected(turned, "p.jpg")).all()


def opaque(mode: str) -> Image.Image:
    image = picture(mode=mode[:-1])
    image.putalpha(255)
    return image


def holed() -> Image.Image:
    image = picture()
    image.putalpha(Image.fromarray(np.where(np.arange(1024).reshape(32, 32) == 5, 254, 255).astype(np.uint8)))
    return image


def palette(hole: bool) -> Image.Image:
    image = picture().quantize(16)
    if hole:
        image.info["transparency"] = 3
    return image


MODES: dict[str, tuple[Image.Image, str]] = {
    "opaque colour": (opaque("RGBA"), "RGB"),
    "opaque gray": (opaque("LA"), "L"),
    "palette": (palette(False), "RGB"),
    "bits": (picture(mode="1"), "L"),
    "transparent": (holed(), "it has transparent pixels; lay it on a background first"),
    "transparent palette": (palette(True), "it has transparent pixels; lay it on a background first"),
    "16 bits": (Image.new("I;16", (32, 32), 9999), "its mode is I;16; expected gray or colour of 8 bits"),
}


@pytest.mark.parametrize("what", MODES)
def test_other_modes_are_turned_to_gray_or_colour_or_refused(tmp_path: Path, what: str) -> None:
    image, wanted = MODES[what]
    result = call(save(tmp_path / "in", {"x.png": image}), tmp_path / "out", *NOISE)
    if wanted not in ("L", "RGB"):
        assert (result.exit_code, result.stderr) == (1, f"[100%, 0 s left] 1 images\nfailed: x.png: {wanted}\n")
        return
    assert result.exit_code == 0, result.output
    made = opened(tmp_path / "out" / "x.png")
    assert made.mode == wanted
    assert (np.asarray(made) == expected(image.convert(wanted), "x.png")).all()


def test_several_pictures_in_one_file_are_refused_but_a_photograph_with_previews_is_not(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    picture().save(source / "film.gif", save_all=True, append_images=[picture(number=1)])
    picture().save(source / "photo.jpg", "MPO", save_all=True, append_images=[picture(number=1)])
    result = call(source, tmp_path / "out", *NOISE)
    assert result.exit_code == 1
    assert "failed: film.gif: it holds 2 pictures; expected one" in result.stderr
    assert [*find(tmp_path / "out")] == ["photo.png"]


def test_a_broken_image_is_named_and_the_others_go_on(source: Path, tmp_path: Path) -> None:
    whole = (source / "a/1.png").read_bytes()
    (source / "a/cut.png").write_bytes(whole[: len(whole) // 2])
    (source / "a/text.png").write_text("no image")
    result = call(source, tmp_path / "out", *NOISE)
    assert result.exit_code == 1
    assert [line.split(":")[:2] for line in result.stderr.splitlines() if "failed" in line] == [
        ["failed", " a/cut.png"],
        ["failed", " a/text.png"],
    ]
    assert "5 written (5 by table 32), 0 were there, 2 failed" in result.stdout
    assert sorted(find(tmp_path / "out")) == sorted(FILES)
    again = json.loads(call(source, tmp_path / "out", *NOISE, "--json").stdout)
    assert again["images"] == {"found": 7, "there": 5, "written": 0, "failed": 2}
    assert list(again["failures"]) == ["a/cut.png", "a/text.png"]


PLUGIN = """
from robustmeta import corruption

@corruption(levels=(0.5, 0.1), family="digital", name="picky")
def picky(x, factor, rng):
    if (x[:, 0, 0, 0] - x[:, -1, 0, 0]).max() == 1:
        raise ValueError("too red")
    return factor * x
"""


@pytest.mark.usefixtures("fresh_plugins")
def test_a_plug_in_that_fails_on_some_images_names_just_these(source: Path, tmp_path: Path) -> None:
    (tmp_path / "picky.py").write_text(PLUGIN)
    red = picture()
    red.putpixel((0, 0), (255, 0, 0))
    save(source, {"red.png": red})
    args = ("--plugin", str(tmp_path / "picky.py"), "--corruption", "picky")
    result = call(source, tmp_path / "out", *args, "--severity", "1", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["failures"] == {"red.png": "corruption picky raised ValueError: too red"}
    assert sorted(find(tmp_path / "out")) == sorted(FILES)
    result = call(source, tmp_path / "out2", *args, "--severity", "3")
    assert (result.exit_code, result.stderr) == (2, "picky has the severities 1 to 2; got 3\n")
    assert not (tmp_path / "out2").exists()


@pytest.mark.parametrize("size", [(28, 28), (10, 12), (600, 513)])
def test_small_and_large_images(tmp_path: Path, size: tuple[int, int]) -> None:
    source = save(tmp_path / "in", {"x.png": picture(*size)})
    assert call(source, tmp_path / "out", "--corruption", "contrast", "--severity", "1").exit_code == 0
    want = np.asarray(rm.corrupt(picture(*size), "contrast", 1))
    assert (pixels(tmp_path / "out/x.png") == want).all()
