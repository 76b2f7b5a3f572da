from io import BytesIO

import numpy as np
import pytest
import scipy.stats
import torch
from digital_references import DRAWS, PUBLISHED, STREAM, hold, hold_images
from PIL import Image

from robustmeta.core import to_float
from robustmeta.corruptions.brightness import brightness
from robustmeta.corruptions.contrast import contrast
from robustmeta.corruptions.gaussian_noise import gaussian_noise
from robustmeta.corruptions.impulse_noise import impulse_noise
from robustmeta.corruptions.jpeg_compression import jpeg_compression
from robustmeta.corruptions.pixelate import pixelate
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.corruptions.saturate import saturate
from robustmeta.corruptions.shot_noise import shot_noise
from robustmeta.corruptions.speckle_noise import speckle_noise
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

NOISES = (gaussian_noise, shot_noise, impulse_noise, speckle_noise)
DIGITAL = (brightness, contrast, saturate, pixelate, jpeg_compression)
ALL = (*NOISES, *DIGITAL)
EACH = pytest.mark.parametrize("corruption", ALL, ids=[c.name for c in ALL])


def keys(n: int) -> Rng:
    return Rng(0, STREAM, range(n))


@EACH
def test_it_follows_the_published_law_at_the_published_levels(corruption: Corruption) -> None:
    hold(corruption)


@EACH
def test_there_are_the_published_tables_and_one_of_ours_where_ink_can_change(corruption: Corruption) -> None:
    ours = set() if corruption is saturate else {"ink-28"}
    assert set(corruption.tables) == {*PUBLISHED[corruption.name], *ours}
    assert set(corruption.laws) == set(corruption.parity) == set(corruption.tables)
    assert all(len(levels) == 5 for levels in corruption.tables.values())


@EACH
def test_what_it_draws_is_what_the_reference_draws(corruption: Corruption) -> None:
    shape, rng, other = (3, 30, 28), keys(2), keys(2)
    corruption.function(to_float(scenes(2, 30))[..., :28], corruption.tables["32"][0], rng)
    if corruption.name in DRAWS:
        DRAWS[corruption.name](other, shape)
    assert torch.equal(rng.uniform(3), other.uniform(3))


@EACH
@pytest.mark.parametrize("images", [ink(7), scenes(7), scenes(2, 224)], ids=["gray", "colour", "large"])
def test_the_number_of_threads_changes_nothing(corruption: Corruption, images: torch.Tensor) -> None:
    before, level = torch.get_num_threads(), corruption.tables["64"][3]
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(corruption.function(to_float(images), level, keys(len(images))))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("photons", [500, 60, 3])
@pytest.mark.parametrize("gray", [1, 40, 128, 250])
def test_counts_of_photons_are_poisson(photons: int, gray: int) -> None:
    images = torch.full((50, 1, 40, 40), gray, dtype=torch.uint8)
    made = shot_noise.function(to_float(images), photons, Rng(3, ("law", photons, gray), range(50)))
    count = (made.double() * photons).round().long().flatten().numpy()
    at = np.arange(photons)  # ``photons`` and more are white
    law = scipy.stats.poisson(photons * gray / 255)
    share = np.append(law.pmf(at), law.sf(photons - 1)) * len(count)
    seen = np.bincount(count, minlength=photons + 1)
    many = share >= 5
    pooled = [np.append(v[many], v[~many].sum()) for v in (seen, share)]
    if pooled[1][-1] < 1:  # nothing was pooled that could be tested
        assert pooled[0][-1] <= 8
        pooled = [v[:-1] for v in pooled]
    pooled[1] *= pooled[0].sum() / pooled[1].sum()
    assert scipy.stats.chisquare(*pooled).pvalue > 1e-3


def test_impulses_hit_each_value_on_its_own_half_of_them_white() -> None:
    gray = torch.full((300, 3, 10, 10), 0.5)
    made = impulse_noise.function(gray, 0.2, Rng(0, ("law",), range(300)))
    assert set(made.unique().tolist()) == {0, 0.5, 1}
    hit, n = (made != 0.5).double(), made.numel()
    assert float(hit.mean()) == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / n) ** 0.5)
    assert float((made == 1).double().sum() / hit.sum()) == pytest.approx(0.5, abs=4 * 0.5 / float(hit.sum()) ** 0.5)
    columns = (hit.flatten(1) - 0.2) / 0.4  # of standard deviation 1
    between = (columns.T @ columns / 300).fill_diagonal_(0)
    assert float(between.abs().max()) < 6 / 300**0.5


def test_severities_of_impulse_noise_hit_the_same_values_and_more() -> None:
    gray = torch.full((4, 3, 16, 16), 0.5)
    mild, strong = (impulse_noise.function(gray, amount, keys(4)) for amount in (0.05, 0.3))
    assert torch.equal(mild.where(mild != 0.5, strong), strong)


def test_speckle_is_proportional_to_the_light() -> None:
    dark, bright = (torch.full((200, 1, 16, 16), v) for v in (0.1, 0.4))
    moved = [speckle_noise.function(x, 0.15, keys(200)) - x for x in (dark, bright)]
    torch.testing.assert_close(moved[1], 4 * moved[0], atol=1e-6, rtol=1e-5)
    assert float(moved[0].double().std()) == pytest.approx(0.015, rel=4 / (2 * moved[0].numel()) ** 0.5)


def test_gray_images_keep_their_one_channel_where_colour_images_change_hues() -> None:
    gray = scenes(2)[:, :1]
    for level in saturate.tables["224"]:
        assert torch.equal(saturate(gray, level, keys(2)), gray)
    brighter = brightness(gray, 0.1, keys(2))
    assert torch.equal(brighter, (gray.int() + 25).clamp(max=255).byte())  # 25.5, cut


@pytest.mark.parametrize("corruption", [brightness, pixelate, jpeg_compression], ids=lambda c: c.name)
def test_gray_is_what_equal_colours_are(corruption: Corruption) -> None:
    gray = scenes(3, 45)[:, :1]
    for level in corruption.tables["64"]:
        colours = corruption(gray.expand(-1, 3, -1, -1), level, keys(3))
        assert torch.equal(colours, corruption(gray, level, keys(3)).expand(-1, 3, -1, -1))


@pytest.mark.parametrize("size", [(28, 28), (29, 43), (96, 31), (224, 224), (130, 512)], ids=str)
@pytest.mark.parametrize("scale", [0.95, 0.75, 0.6, 0.5, 0.3, 0.25, 0.1])
def test_pixelate_is_pillow_bit_for_bit(scale: float, size: tuple[int, int]) -> None:
    hold_images(pixelate, scale, Rng(0, ("x",), range(1)).integers(0, 256, 3, *size).byte())


@pytest.mark.parametrize("size", [(28, 28), (33, 47), (224, 224)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillow_bit_for_bit(channels: int, size: tuple[int, int]) -> None:
    images = torch.cat(
        [
            Rng(0, ("x",), range(1)).integers(0, 256, channels, *size).byte(),
            scenes(1, max(size))[:, :channels, : size[0], : size[1]],
        ]
    )
    for quality in (1, 7, 10, 25, 50, 80, 95):
        made = jpeg_compression(images, quality, keys(2))
        for got, image in zip(made, images, strict=True):
            pixels, file = image.movedim(0, -1).numpy(), BytesIO()
            Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(file, "JPEG", quality=quality)
            want = np.asarray(Image.open(file)).reshape(pixels.shape)
            np.testing.assert_array_equal(got.movedim(0, -1).numpy(), want)


def test_contrast_does_not_depend_on_how_threads_share_an_image() -> None:
    x = to_float(scenes(1, 512)[:, :1])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = contrast.function(x, 0.4, keys(1))
        torch.set_num_threads(4)
        assert torch.equal(contrast.function(x.expand(5, -1, -1, -1), 0.4, keys(5))[2:3], alone)
        assert torch.equal(contrast.function(x, 0.4, keys(1)), alone)
    finally:
        torch.set_num_threads(before)
