import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from rich.console import Console
from typer.testing import CliRunner, Result

import robustmeta as rm
from robustmeta.cli import app, corrupt
from robustmeta.cli.image_files import find, outputs
from robustmeta.core import DataError
from robustmeta.corruptions.samples import scenes
from robustmeta.rng import hash64

NOISE = ("--corruption", "gaussian_noise", "--severity", "3")


def picture(width: int = 32, height: int = 32, mode: str = "RGB", number: int = 0) -> Image.Image:
    side = max(width, height)
    return Image.fromarray(scenes(number + 1, side)[number, :, :height, :width].movedim(0, -1).numpy()).convert(mode)


def save(folder: Path, files: dict[str, Image.Image]) -> Path:
    for name, image in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name, **({"lossless": True} if name.endswith("webp") else {}))
    return folder


def call(source: Path, target: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["corrupt", str(source), str(target), *args])


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        image.load()
        return image


def pixels(file: Path) -> Any:
    return np.asarray(opened(file))


def expected(image: Image.Image, name: str, seed: int = 0) -> Any:
    return np.asarray(rm.corrupt(image, "gaussian_noise", 3, seed=seed, ids=hash64(name)))


FILES = {
    "a/1.png": picture(),
    "a/deep/2.bmp": picture(number=1),
    "b/3.tif": picture(40, 28, "L"),
    "b/4.webp": picture(28, 64),
    "b/5.PNG": picture(40, 28, "L", 1),
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save(tmp_path / "in", FILES)


def test_a_tree_of_images_of_all_sizes_keeps_its_names_and_every_pixel(source: Path, tmp_path: Path) -> None:
    (source / "notes.txt").write_text("no image")
    (source / ".hidden.png").write_bytes(b"no image")
    result = call(source, tmp_path / "new" / "out", *NOISE, "--seed", "5")
    assert result.exit_code == 0, result.output
    out = tmp_path / "new" / "out"
    assert sorted(find(out)) == sorted(FILES)
    assert sorted(p.name for p in out.iterdir()) == ["a", "b", "robustmeta.json"]
    for name, image in FILES.items():
        assert (pixels(out / name) == expected(image, name, seed=5)).all(), name
        made = opened(out / name)
        assert (made.mode, made.size) == (image.mode, image.size)
    text = f"{out}: gaussian_noise, severity 3, seed 5: 5 written (5 by table 32), 0 were there\n"
    assert result.stdout == text
    assert result.stderr.splitlines()[-1].startswith("[100%")


def test_a_part_of_a_folder_gives_the_same_images(source: Path, tmp_path: Path) -> None:
    call(source, tmp_path / "whole", *NOISE)
    part = save(tmp_path / "part", {"b/3.tif": FILES["b/3.tif"]})
    call(part, tmp_path / "some", *NOISE)
    assert (pixels(tmp_path / "whole" / "b/3.tif") == pixels(tmp_path / "some" / "b/3.tif")).all()


def test_no_pixel_depends_on_what_is_batched_together(source: Path, tmp_path: Path, monkeypatch: Any) -> None:
    call(source, tmp_path / "one", *NOISE)
    for full, waiting in ((1, 10**9), (10**9, 1), (10**9, 6000)):
        monkeypatch.setattr(corrupt, "FULL", full)
        monkeypatch.setattr(corrupt, "WAITING", waiting)
        monkeypatch.setattr(corrupt, "WINDOW", 2)
        out = tmp_path / f"{full}-{waiting}"
        assert call(source, out, *NOISE).exit_code == 0
        for name in FILES:
            assert (out / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_what_is_there_is_not_made_again(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call(source, out, *NOISE)
    first = {name: (out / name).read_bytes() for name in FILES}
    (out / "a/1.png").unlink()
    (out / "b/3.tif").write_bytes(b"mark")
    found = json.loads(call(source, out, *NOISE, "--json").stdout)
    assert found["images"] == {"found": 5, "there": 4, "written": 1, "failed": 0}
    assert (out / "a/1.png").read_bytes() == first["a/1.png"]
    assert (out / "b/3.tif").read_bytes() == b"mark"
    found = json.loads(call(source, out, *NOISE, "--overwrite", "--json").stdout)
    assert found["images"] == {"found": 5, "there": 0, "written": 5, "failed": 0}
    assert {name: (out / name).read_bytes() for name in FILES} == first


def test_the_json_object(source: Path, tmp_path: Path) -> None:
    save(source, {"c/large.png": picture(300, 224)})
    found = json.loads(call(source, tmp_path / "out", *NOISE, "--json").stdout)
    assert found == {
        **{
            "corruption": "gaussian_noise",
            "version": rm_version(),
            "source": "",
            "severity": 3,
            "table": "auto",
            "seed": 0,
        },
        "tables": {"32": 5, "224": 1},
        "images": {"found": 6, "there": 0, "written": 6, "failed": 0},
        "failures": {},
        "out": str(tmp_path / "out"),
    }


def rm_version() -> int:
    from robustmeta.corruptions.gaussian_noise import gaussian_noise

    return gaussian_noise.version


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


@pytest.mark.parametrize("size", [(28, 28), (10, 12), (600, 513)])
def test_small_and_large_images(tmp_path: Path, size: tuple[int, int]) -> None:
    source = save(tmp_path / "in", {"x.png": picture(*size)})
    assert call(source, tmp_path / "out", "--corruption", "contrast", "--severity", "1").exit_code == 0
    want = np.asarray(rm.corrupt(picture(*size), "contrast", 1))
    assert (pixels(tmp_path / "out/x.png") == want).all()


WRONG: list[tuple[Callable[[], tuple[str, ...]], str]] = [
    (lambda: ("--corruption", "gausian_noise", "--severity", "1"), "did you mean gaussian_noise?"),
    (lambda: ("--corruption", "contrast", "--severity", "6"), "Invalid value for '--severity'"),
    (lambda: ("--corruption", "contrast"), "Missing option '--severity'"),
    (lambda: (*NOISE, "--table", "ink"), "unknown severity table 'ink'; did you mean ink-28?"),
    (lambda: (*NOISE, "--plugin", "nowhere.py"), "no such plug-in file"),
]


@pytest.mark.parametrize(("args", "said"), WRONG)
def test_wrong_usage(source: Path, tmp_path: Path, args: Callable[[], tuple[str, ...]], said: str) -> None:
    result = call(source, tmp_path / "out", *args())
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_progress_is_a_bar_on_a_terminal_and_tenths_elsewhere() -> None:
    out = io.StringIO()
    with corrupt.counting(4, Console(file=out, force_terminal=True, width=80, color_system=None)) as done:
        done(1)
        done(3)
    assert "4/4" in out.getvalue()
    out = io.StringIO()
    with corrupt.counting(1000, Console(file=out)) as done:
        for _ in range(1000):
            done(1)
    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0].endswith("s left] 100 images")
    assert lines[-1] == "[100%, 0 s left] 1,000 images"
    with corrupt.counting(0, Console(file=io.StringIO())):
        pass


def test_threads_change_nothing(source: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        call(source, tmp_path / str(threads), *NOISE)
    torch.set_num_threads(before)
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
