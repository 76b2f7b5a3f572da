import cv2
import numpy as np
import pytest
import torch
from shift_references import PUBLISHED, hold, kernel

from robustmeta.core import to_float
from robustmeta.corruptions.contrast import contrast
from robustmeta.corruptions.defocus_blur import defocus_blur
from robustmeta.corruptions.gaussian_noise import gaussian_noise
from robustmeta.corruptions.jpeg_compression import jpeg_compression
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.functional.blur import aliased_disk, correlate
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

BUILTIN: tuple[Corruption, ...] = (gaussian_noise, defocus_blur, contrast, jpeg_compression)


@pytest.mark.parametrize("corruption", BUILTIN, ids=lambda c: c.name)
def test_it_follows_the_published_law_at_the_published_levels(corruption: Corruption) -> None:
    hold(corruption)


@pytest.mark.parametrize("corruption", BUILTIN, ids=lambda c: c.name)
def test_there_are_the_published_tables_and_one_of_ours(corruption: Corruption) -> None:
    assert set(corruption.tables) == {*PUBLISHED[corruption.name], "ink-28"}
    assert all(len(levels) == 5 for levels in corruption.tables.values())


@pytest.mark.parametrize(
    ("size", "table"),
    [(16, "32"), (28, "32"), (32, "32"), (63, "32"), (64, "64"), (84, "64"), (223, "64"), (224, "224"), (512, "224")],
)
def test_the_table_is_the_largest_published_size_not_above_the_image(size: int, table: str) -> None:
    assert [c.table(size)[0] for c in BUILTIN] == [table] * len(BUILTIN)


@pytest.mark.parametrize("radius_sigma", [level for t in PUBLISHED["defocus_blur"].values() for level in t])
def test_the_defocus_kernel_is_the_published_one(radius_sigma: tuple[float, float]) -> None:
    ours = aliased_disk(*radius_sigma)
    assert ours.shape == ((17, 17) if radius_sigma[0] <= 8 else (21, 21))
    np.testing.assert_allclose(ours.numpy(), kernel(*radius_sigma), atol=1e-15)


def test_the_largest_defocus_kernel_gains_the_published_mass() -> None:
    assert float(aliased_disk(10, 0.5).sum()) == pytest.approx(1.0108, abs=5e-5)
    assert float(aliased_disk(6, 0.5).sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5, 8, 28])
def test_images_smaller_than_the_kernel_are_mirrored_again_and_again(size: int) -> None:
    x = Rng(0, ("x",), [0, 1]).uniform(1, size, size).double()
    ours = correlate(x, aliased_disk(10, 0.5)).numpy()
    for got, image in zip(ours, x.numpy(), strict=True):
        wide = np.pad(image[0], 10, mode="reflect")  # its own filter, then cut
        want = cv2.filter2D(wide, -1, kernel(10, 0.5))[10:-10, 10:-10]
        np.testing.assert_allclose(got[0], want, atol=1e-12)


def test_noise_has_the_stated_moments_and_is_independent_between_pixels_channels_and_images() -> None:
    gray = torch.full((400, 3, 8, 8), 0.5)
    noise = (gaussian_noise.function(gray, 0.08, Rng(0, ("n",), range(400))) - 0.5).double()
    n = noise.numel()
    assert abs(float(noise.mean())) < 4 * 0.08 / n**0.5
    assert float(noise.std()) == pytest.approx(0.08, rel=4 / (2 * n) ** 0.5)
    columns = noise.flatten(1) / 0.08  # (400, 192)
    off = (columns.T @ columns / 400).fill_diagonal_(0)
    assert float(off.abs().max()) < 6 / 400**0.5
    between = (columns @ columns.T / 192).fill_diagonal_(0)
    assert float(between.abs().max()) < 6 / 192**0.5


def test_the_severities_share_their_draw() -> None:
    gray = torch.full((4, 1, 6, 6), 0.5)
    levels = gaussian_noise.tables["32"]
    draws = [(gaussian_noise.function(gray, s, Rng(0, ("n",), range(4))) - 0.5) / s for s in levels]
    for draw in draws[1:]:
        torch.testing.assert_close(draw, draws[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("corruption", BUILTIN, ids=lambda c: c.name)
@pytest.mark.parametrize("images", [ink(9), scenes(9)], ids=["gray", "colour"])
def test_an_image_depends_on_its_key_alone(corruption: Corruption, images: torch.Tensor) -> None:
    keys = np.array([5, 2**63 + 1, 3, 9, 2**40, 0, 1, 7, 12], np.uint64)
    level = corruption.tables["32"][4]
    whole = corruption(images, level, Rng(1, ("k",), keys))
    for chunk in (1, 2, 5):
        assert torch.equal(whole, corruption(images, level, Rng(1, ("k",), keys), chunk))
    some = np.array([8, 1, 4])
    assert torch.equal(whole[some], corruption(images[some], level, Rng(1, ("k",), keys[some])))


def test_another_key_stream_or_seed_is_another_noise() -> None:
    x, level = ink(1), 0.1
    first = gaussian_noise(x, level, Rng(0, ("a",), [1]))
    others = [Rng(0, ("a",), [2]), Rng(0, ("b",), [1]), Rng(1, ("a",), [1])]
    assert all(not torch.equal(first, gaussian_noise(x, level, rng)) for rng in others)


@pytest.mark.parametrize("name", ["contrast", "defocus_blur", "jpeg_compression"])
def test_the_others_draw_nothing(name: str) -> None:
    corruption = {c.name: c for c in BUILTIN}[name]
    rng = Rng(0, ("a",), range(2))
    corruption.function(to_float(scenes(2)), corruption.tables["32"][0], rng)
    torch.testing.assert_close(rng.uniform(3), Rng(0, ("a",), range(2)).uniform(3), rtol=0, atol=0)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("corruption", BUILTIN[1:], ids=lambda c: c.name)
def test_black_and_white_images_stay_in_range(corruption: Corruption, value: int) -> None:
    x = torch.full((2, 3, 28, 28), value, dtype=torch.uint8)
    for level in corruption.tables["64"]:
        assert (corruption(x, level, Rng(0, (), range(2))).int() - value).abs().max() <= 1


@pytest.mark.parametrize("quality", [2, 10, 40, 80])
@pytest.mark.parametrize("images", [ink(3), scenes(3), scenes(3, 84)], ids=["gray", "colour", "large"])
def test_jpeg_is_the_same_bit_for_bit_by_another_codec(quality: int, images: torch.Tensor) -> None:
    got = jpeg_compression(images, quality, Rng(0, (), range(3)))
    for ours, image in zip(got, images, strict=True):
        pixels = image.movedim(0, -1).numpy()[..., ::-1]  # OpenCV's order of channels
        _, file = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        theirs = cv2.imdecode(file, cv2.IMREAD_UNCHANGED).reshape(pixels.shape)[..., ::-1]
        np.testing.assert_array_equal(ours.movedim(0, -1).numpy(), theirs)
