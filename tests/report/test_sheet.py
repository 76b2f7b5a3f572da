from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robustmeta.core import CellError
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.report.sheet import corruption_rows, corruption_sheet, grid
from robustmeta.shifts.corruption import Corruption


def dim(x: torch.Tensor, level: float, rng: object) -> torch.Tensor:
    return level * x


def test_a_grid_shows_every_image_pixel_by_pixel(tmp_path: Path) -> None:
    figure = grid([("gray", ink(2)), ("colour", scenes(3))])
    assert [t.get_text() for t in figure.texts] == ["gray", "colour"]
    shown = [axes.images[0] for axes in figure.axes]
    assert [tuple(image.get_array().shape) for image in shown] == [(28, 2 * 29, 3), (32, 3 * 33, 3)]
    for channel in range(3):
        np.testing.assert_array_equal(shown[0].get_array()[:, 29:57, channel], ink(2)[1, 0])
        np.testing.assert_array_equal(shown[1].get_array()[:, 66:98, channel], scenes(3)[2, channel])
    assert (shown[0].get_array()[:, 28] == 255).all()
    figure.savefig(tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as drawn:
        assert np.asarray(drawn).std() > 10


def test_a_sheet_has_a_row_for_clean_and_for_every_level(tmp_path: Path) -> None:
    made = Corruption("dim", dim, {"levels": (0.5, 0.0)}, "digital")
    rows = corruption_rows(made, ink(2))
    assert [label for label, _ in rows] == ["clean", "severity 1: 0.5", "severity 2: 0.0"]
    assert torch.equal(rows[0][1], ink(2))
    assert not rows[2][1].any()
    corruption_sheet(made, tmp_path / "dim.png")
    with Image.open(tmp_path / "dim.png") as short:
        width, height = short.size
    tables = {"32": (0.9, 0.8), "ink": (0.7, 0.6)}
    corruption_sheet(Corruption("dim", dim, tables, "digital"), tmp_path / "more.png")
    with Image.open(tmp_path / "more.png") as tall:
        assert (tall.size[0], round(tall.size[1] / height, 1)) == (width, round(5 / 3, 1))


def test_a_sheet_of_given_images(tmp_path: Path) -> None:
    corruption_sheet(Corruption("dim", dim, {"levels": (0.5,)}, "x"), tmp_path / "a.png", scenes(2, 84))
    assert (tmp_path / "a.png").is_file()


def test_a_corruption_that_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="corruption dim returned values"):
        corruption_sheet(Corruption("dim", dim, {"levels": (2,)}, "x"), tmp_path / "a.png")


def test_no_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        grid([])


def test_drawing_leaves_pyplot_alone() -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    grid([("ink", ink(1))])
    assert pyplot.get_fignums() == before
