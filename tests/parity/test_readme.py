"""The README of the corruptions against the registry; needs no published program."""

import re

import pytest
from parity.sections import README, read_section, write_section
from parity.table import NAMES, PHOTOGRAPHS, SIZES

from robustmeta.core import CHUNK_BYTES
from robustmeta.corruptions import SETS
from robustmeta.registry import resolve

COLUMNS = 3  # label, PSNR, SSIM


def hold(text: str) -> None:
    """Assert that the table of parity has every corruption, each under the labels that it gives itself."""
    rows = [
        [cell.strip() for cell in line.strip("| \n").split("|")] for line in read_section(text, "parity").split("\n")
    ]
    found = {row[0]: row[1::COLUMNS] for row in rows if len(row) == 1 + COLUMNS * len(SIZES)}
    want = {n: [resolve("corruptions", n).parity.get(size, "–") for size in SIZES] for n in NAMES if n != PHOTOGRAPHS}
    assert {name: found.get(name) for name in want} == want


def test_the_labels_of_the_readme_are_those_of_the_registry() -> None:
    hold(README.read_text())


def test_a_label_that_has_changed_since_and_a_row_that_is_missing() -> None:
    text = README.read_text()
    for fault in (text.replace("| exact |", "| none |", 1), re.sub(r"\n\| fog \|.*", "", text)):
        assert fault != text
        with pytest.raises(AssertionError):
            hold(fault)


def test_the_readme_has_a_speed_for_every_corruption() -> None:
    rows = read_section(README.read_text(), "speed").split("\n")
    assert {row.split("|")[1].strip() for row in rows if row.count("|") > 2} >= {n for n in NAMES if n != PHOTOGRAPHS}


def test_the_readme_names_the_sets_and_the_size_of_a_chunk() -> None:
    text = README.read_text()
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.M)) >= set(SETS)
    assert f"{CHUNK_BYTES // 2**20} MiB" in text
    for channels, size in ((3, 32), (3, 224)):
        assert f"{CHUNK_BYTES // (4 * channels * size**2)} " in text


def test_only_what_stands_between_the_marks_is_written(tmp_path) -> None:
    file = tmp_path / "README.md"
    file.write_text("a\n<!-- speed -->\nold\n<!-- /speed -->\nb <!-- parity -->\n<!-- /parity -->\n")
    write_section(file, "speed", "new")
    assert file.read_text() == "a\n<!-- speed -->\n\nnew\n\n<!-- /speed -->\nb <!-- parity -->\n<!-- /parity -->\n"
    with pytest.raises(ValueError, match="not found"):
        write_section(file, "memory", "new")
