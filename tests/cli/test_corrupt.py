import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from corrupt_folders import FILES, NOISE, call, expected, opened, picture, pixels, save
from rich.console import Console

from robustmeta.cli import corrupt
from robustmeta.cli.image_files import find


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
