import colorsys

import numpy as np
import pytest
import torch

from robustmeta.core import to_bytes, to_float
from robustmeta.functional.hsv import cut, recolour, to_hsv, to_rgb
from robustmeta.functional.photometric import brightness, contrast, saturate
from robustmeta.functional.quantise import from_bytes, look_up, nearest_bytes, through_bytes
from robustmeta.rng import Rng

VALUES = np.unique([*range(0, 256, 15), 1, 2, 127, 128, 254])
GRID = np.stack(np.meshgrid(VALUES, VALUES, VALUES, indexing="ij")).astype(np.uint8).reshape(3, 1, -1)


def colour(*rgb: int) -> torch.Tensor:
    return to_float(torch.tensor(rgb, dtype=torch.uint8)[None, :, None, None])


def stored(x: torch.Tensor) -> list[int]:
    return to_bytes(x).flatten().tolist()


def test_contrast_by_hand() -> None:
    x = torch.tensor([[0.0, 0.2], [0.4, 1.0]])[None, None]  # of mean 0.4
    torch.testing.assert_close(contrast(x, 0.5)[0, 0], torch.tensor([[0.2, 0.3], [0.4, 0.7]]))
    torch.testing.assert_close(contrast(x, 2.0)[0, 0], torch.tensor([[0.0, 0.0], [0.4, 1.0]]))


@pytest.mark.parametrize("gray", [0, 1, 77, 254, 255])
def test_contrast_leaves_an_even_image_alone(gray: int) -> None:
    x = torch.full((2, 3, 224, 224), gray, dtype=torch.uint8)
    assert torch.equal(to_bytes(contrast(to_float(x), 0.05)), x)


def test_brightness_by_hand() -> None:
    # (60, 30, 120) / 120 · min(120 + 25.5, 255), cut
    assert stored(brightness(colour(60, 30, 120), 0.1)) == [72, 36, 145]
    assert stored(brightness(colour(0, 0, 0), 0.3)) == [76, 76, 76]
    assert stored(brightness(colour(200, 100, 0), 0.5)) == [255, 127, 0]


def test_saturation_by_hand() -> None:
    # S = 1/2 and V = 200: the smallest is V · (1 − S'), the middle one halfway between
    assert stored(saturate(colour(200, 150, 100), 0.3, 0)) == [200, 185, 170]
    assert stored(saturate(colour(200, 150, 100), 1.5, 0)) == [200, 125, 50]
    assert stored(saturate(colour(200, 150, 100), 5, 0.1)) == [200, 100, 0]


def test_gray_among_colours_turns_red() -> None:
    assert stored(saturate(colour(100, 100, 100), 5, 0.1)) == [100, 90, 90]
    assert stored(saturate(colour(0, 0, 0), 5, 0.1)) == [0, 0, 0]


def test_what_falls_short_of_a_whole_number_in_float64_is_cut_as_numpy_cuts_it() -> None:
    short = [k for k in range(205) if int((k / 255 + 0.2) * 255) < k + 51]
    assert short[:3] == [81, 97, 113]
    for k in range(205):
        want = k + 50 if k in short else k + 51
        assert stored(brightness(colour(k, k, k), 0.2)) == [want] * 3
        assert stored(brightness(colour(k, k, k)[:, :1], 0.2)) == [want]


def test_hsv_is_that_of_the_standard_library() -> None:
    sixth, saturation, value = to_hsv(*GRID)
    for i, rgb in enumerate((GRID[:, 0].T / 255).tolist()):
        want = colorsys.rgb_to_hsv(*rgb)
        got = (sixth[0, i] / 6, saturation[0, i], value[0, i])
        np.testing.assert_allclose(got, want, atol=1e-12)


def test_rgb_comes_back() -> None:
    sixth, saturation, value = to_hsv(*GRID)
    np.testing.assert_array_equal(to_rgb(sixth, saturation, value + 1e-9), GRID)  # so that nothing falls short


def test_blocks_of_pixels_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = Rng(0, ("x",), range(5)).uniform(3, 9, 11)
    whole = saturate(x, 2, 0.1)
    for block in (1, 7, 99, 200):
        monkeypatch.setattr("robustmeta.functional.hsv.BLOCK", block)
        assert torch.equal(saturate(x, 2, 0.1), whole)


def test_no_change_is_the_nearest_of_256_values() -> None:
    x = Rng(0, ("x",), range(3)).uniform(3, 8, 8)
    same = through_bytes(x, lambda k: recolour(k, lambda saturation, value: (saturation, value + 1e-9)))
    torch.testing.assert_close(same, x.mul(255).round().div(255), rtol=0, atol=1e-7)


def test_bytes_there_and_back() -> None:
    k = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    x = from_bytes(k, torch.empty(0))
    assert torch.equal(x, to_float(torch.from_numpy(k)))
    np.testing.assert_array_equal(nearest_bytes(x), k)
    np.testing.assert_array_equal(nearest_bytes(torch.tensor([[0.4 / 255, 0.6 / 255, 1.0]])), [[0, 1, 255]])
    np.testing.assert_array_equal(look_up(k[0, 0], 255 - k.ravel()), 255 - k[0, 0])
    np.testing.assert_array_equal(cut(np.array([0, 0.999 / 255, 1 / 255, 1])), [0, 0, 1, 255])
