import numpy as np
import pytest
import torch
from PIL import Image

from robustmeta.functional.quantise import through_bytes
from robustmeta.functional.resample import box, nearest, pixelate, shrink, windows

SIZES = (*range(28, 70), 96, 224, 225, 512)
SCALES = (0.95, 0.9, 0.85, 0.75, 0.6, 0.5, 0.45, 0.3, 0.25, 0.1)
PAIRS = [(size, int(size * scale)) for size in SIZES for scale in SCALES]


def test_boxes_hold_the_pixels_that_pillow_weighs() -> None:
    for size, small in PAIRS:
        one = Image.fromarray(np.eye(size, dtype=np.float32))
        weights = np.asarray(one.resize((small, size), Image.Resampling.BOX))
        first, count = windows(size, small)
        at = np.arange(size)[:, None]
        inside = (at >= first) & (at < first + count)
        np.testing.assert_allclose(weights, inside / count, rtol=1e-6, err_msg=f"{size} to {small}")


def test_nearest_pixels_are_pillows() -> None:
    for size, small in PAIRS:
        row = Image.fromarray(np.arange(small, dtype=np.float32)[:, None])
        want = np.asarray(row.resize((1, size), Image.Resampling.NEAREST))[:, 0]  # it treats both axes alike
        np.testing.assert_array_equal(nearest(size, small), want)


def test_means_of_boxes_are_rounded_and_ties_go_up() -> None:
    image = np.array([[0], [1], [7], [7], [2], [3], [9], [9]], np.uint8)[None]
    assert box(image, 4)[0, :, 0].tolist() == [1, 7, 3, 9]
    assert box(image, 2)[0, :, 0].tolist() == [4, 6]  # 15/4, 23/4


@pytest.mark.parametrize("n", range(1, 20))
def test_every_sum_of_a_box_is_rounded_as_pillow_rounds_it(n: int) -> None:
    total = np.arange(255 * n + 1)
    parts = (total // n + (np.arange(n)[:, None] < total % n)).astype(np.uint8)  # n bytes of that sum
    want = np.asarray(Image.fromarray(parts).resize((len(total), 1), Image.Resampling.BOX))
    np.testing.assert_array_equal(box(parts[None], 1)[0], want)


def test_sums_of_large_boxes_do_not_overflow() -> None:
    image = np.full((1, 512, 3), 255, np.uint8)
    image[:, :, 1], image[:, ::2, 2] = 100, 0
    assert box(image, 1).ravel().tolist() == [255, 100, 128]


@pytest.mark.parametrize("size", [(32, 32), (28, 57), (96, 31), (31, 96)])
def test_shrunk_images_are_pillows(size: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *size), np.uint8)
    small = int(size[0] * 0.6), int(size[1] * 0.6)
    want = [np.asarray(Image.fromarray(i).resize(small[::-1], Image.Resampling.BOX)) for i in images]
    np.testing.assert_array_equal(shrink(images, *small), np.stack(want))


def floats(x: torch.Tensor, scale: float) -> torch.Tensor:
    return through_bytes(x, lambda k: pixelate(k, scale))


def test_pixelate_by_hand() -> None:
    x = torch.tensor([[0, 2, 10, 20], [4, 6, 30, 40], [1, 1, 0, 0], [1, 1, 0, 255]]) / 255
    want = torch.tensor([[3, 25], [1, 64]]).repeat_interleave(2, 0).repeat_interleave(2, 1) / 255
    torch.testing.assert_close(floats(x[None, None], 0.5)[0, 0], want)
    assert floats(x[None, None], 0.1).unique().numel() == 1  # never less than one pixel


def test_blocks_of_planes_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(5, 3, 28, 33, generator=torch.Generator().manual_seed(0))
    whole = floats(x, 0.6)
    for block in (1, 28 * 33 * 2, 28 * 33 * 4):
        monkeypatch.setattr("robustmeta.functional.resample.BLOCK", block)
        assert torch.equal(floats(x, 0.6), whole)
