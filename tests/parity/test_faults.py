"""Each check of parity turns red on a planted fault, in our program or, which is the same, in the other one."""

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from parity import measures, peer
from parity.cases import CASES
from parity.measures import HERE, RANDOM, corruption, hold_distribution, hold_equal, hold_images, hold_labels, natural
from parity.replay import Replay
from torch import Tensor

from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("published")]
FEW = 16
OTHER = "differ|draw"  # other images, or other draws than the peer makes


@pytest.fixture
def few(data_dir: Path) -> Any:
    return natural(32, FEW, data_dir)


@pytest.fixture
def many(data_dir: Path) -> Any:
    return natural(32, measures.SUBJECTS, data_dir)


def tampered(name: str, change: Callable[[Tensor], Tensor]) -> Corruption:
    """A corruption whose result is changed."""
    made = corruption(name)

    def function(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return change(made.function(x, level, rng)).clamp(0, 1)

    return dataclasses.replace(made, in_bytes=None, function=function)


@pytest.mark.parametrize("name", HERE)
def test_the_sound_program_passes_on_the_images_that_the_faults_are_tried_on(name: str, few: Any) -> None:
    hold_images(corruption(name), "224", few)


IN_RESULT: dict[str, Callable[[Tensor], Tensor]] = {
    "half a pixel to the right": lambda y: (y + y.roll(1, -1)) / 2,
    "half a pixel down": lambda y: (y + y.roll(1, -2)) / 2,
    "brighter": lambda y: y + 1.01 / 255,
    "darker by a half": lambda y: y - 0.5 / 255,
    "channels in reverse": lambda y: y.flip(1),
    "mirrored": lambda y: y.flip(-1),
    "1 % more contrast": lambda y: 0.5 + (y - 0.5) * 1.01,
}


@pytest.mark.parametrize("fault", IN_RESULT)
@pytest.mark.parametrize("name", HERE)
def test_another_result(name: str, fault: str, few: Any) -> None:
    with pytest.raises(AssertionError, match="differ"):
        hold_images(tampered(name, IN_RESULT[fault]), "224", few)


# Whole numbers when they are cut, so that rounding them changes nothing.
WHOLE = {"impulse_noise", "jpeg_compression", "pixelate", "brightness", "saturate", "frost"}


@pytest.mark.parametrize("name", [n for n in HERE if n not in WHOLE])
def test_one_that_rounds_and_one_that_cuts(name: str, few: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustmeta.shifts.corruption.to_bytes", lambda x: x.mul(255).round().byte())
    with pytest.raises(AssertionError, match="differ"):
        hold_images(corruption(name), "224", few)


@pytest.mark.parametrize("table", ["224", "64", "32"])
@pytest.mark.parametrize("name", HERE)
def test_a_severity_off_by_one(name: str, table: str, few: Any) -> None:
    if table not in ("224", *CASES[name].small):
        return
    made = corruption(name)
    levels = made.tables[table]
    with pytest.raises(AssertionError, match=OTHER):
        hold_images(dataclasses.replace(made, tables={table: (*levels[1:], levels[0])}), table, few)


@pytest.mark.parametrize("name", [n for n in HERE if {"64", "32"} <= CASES[n].small.keys() and n != "zoom_blur"])
def test_the_levels_of_another_size(name: str, few: Any) -> None:
    made = corruption(name)
    with pytest.raises(AssertionError, match=OTHER):
        hold_images(dataclasses.replace(made, tables={"64": made.tables["32"]}), "64", few)


@pytest.mark.parametrize("name", [n for n in HERE if "32" in CASES[n].small])
def test_a_peer_that_keeps_its_own_levels(name: str, monkeypatch: pytest.MonkeyPatch, few: Any) -> None:
    monkeypatch.setattr(measures, "table_of", lambda name, table: nullcontext())
    with pytest.raises(AssertionError, match=OTHER):
        hold_images(corruption(name), "32", few)


@pytest.mark.parametrize("name", sorted({name for name, _ in RANDOM}))
def test_other_draws_than_those_that_the_peer_is_given(name: str, few: Any) -> None:
    made = corruption(name)

    def function(x: Tensor, level: Any, rng: Rng) -> Tensor:
        made.function(x, level, rng)
        return made.function(x, level, Rng(1, rng.stream, rng.keys))

    with pytest.raises(AssertionError, match="differ"):
        hold_images(dataclasses.replace(made, in_bytes=None, function=function), "224", few)


@pytest.mark.parametrize("name", [n for n in HERE if not CASES[n].draws])
def test_a_draw_in_what_is_called_exact(name: str, few: Any) -> None:
    made = corruption(name)

    def function(x: Tensor, level: Any, rng: Rng) -> Tensor:
        rng.uniform(1)
        return made.function(x, level, rng)

    with pytest.raises(AssertionError, match="draws"):
        hold_images(dataclasses.replace(made, in_bytes=None, function=function), "224", few)


def normalised(own: Any) -> Any:
    def disk(radius: float, alias_blur: float) -> Any:
        kernel = own(radius, alias_blur)
        return kernel / kernel.sum() * 1.001

    return disk


def central(own: Any) -> Any:
    """Zoomed, and the rest trimmed on both sides alike."""

    def clipped_zoom(image: Any, factor: float) -> Any:
        made = own(image, factor)
        top, left = (made.shape[0] - image.shape[0]) // 2, (made.shape[1] - image.shape[1]) // 2
        return made[top:, left:]

    return clipped_zoom


def corner(own: Any) -> Any:
    """Zoomed about the upper left corner."""

    def clipped_zoom(image: Any, factor: float) -> Any:
        sides = [int(np.ceil(n / factor)) for n in image.shape[:2]]
        return scipy.ndimage.zoom(image[: sides[0], : sides[1]], (factor, factor, 1), order=1)

    return clipped_zoom


def symmetric(own: Any) -> Any:
    def kernel(width: int, sigma: float) -> Any:
        k = np.exp(-((np.arange(width) - width // 2) ** 2) / (2 * sigma**2))
        return k / k.sum()

    return kernel


def mean_for_value(own: Any) -> Any:
    """HSV whose value is the mean of the channels."""

    def rgb2hsv(rgb: Any) -> Any:
        hsv = own.color.rgb2hsv(rgb)
        hsv[..., 2] = rgb.mean(-1)
        return hsv

    return SimpleNamespace(color=SimpleNamespace(rgb2hsv=rgb2hsv, hsv2rgb=own.color.hsv2rgb))


def salt_alone(own: Any) -> Any:
    return SimpleNamespace(
        util=SimpleNamespace(random_noise=lambda x, **options: own.util.random_noise(x, salt_vs_pepper=0.7, **options))
    )


def triangles(own: Any) -> Any:
    """Pillow that averages by triangles."""
    return SimpleNamespace(BOX=own.BILINEAR, NEAREST=own.NEAREST, fromarray=own.fromarray)


def nearest(own: Any) -> Any:
    return lambda *arguments, order, mode: own(*arguments, order=order, mode="nearest")


IN_PEER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "impulse_noise": ("sk", salt_alone),
    "defocus_blur": ("disk", normalised),
    "zoom_blur": ("clipped_zoom", corner),
    "snow": ("clipped_zoom", central),
    "motion_blur": ("getMotionBlurKernel", symmetric),
    "fog": ("plasma_fractal", lambda own: lambda **form: own(**form).T),
    "glass_blur": ("gaussian", lambda own: partial(own, truncate=2)),
    "gaussian_blur": ("gaussian", lambda own: partial(own, truncate=2)),
    "spatter": ("gaussian", lambda own: partial(own, truncate=2)),
    "brightness": ("sk", mean_for_value),
    "saturate": ("sk", mean_for_value),
    "pixelate": ("Image", triangles),
    "elastic_transform": ("map_coordinates", nearest),
}


@pytest.mark.parametrize("name", [n for n in HERE if n in IN_PEER])
def test_another_law(name: str, monkeypatch: pytest.MonkeyPatch, few: Any) -> None:
    inner, (attr, fault) = peer.package().corruptions, IN_PEER[name]
    monkeypatch.setattr(inner, attr, fault(getattr(inner, attr)))
    with pytest.raises(AssertionError, match="differ"):
        hold_images(corruption(name), "224", few)


def test_a_value_off_by_two_and_too_many_off_by_one() -> None:
    clean = np.zeros((1, 100, 100, 1), np.uint8)
    one = clean.copy()
    one.flat[:10] = 1
    assert hold_equal(one, clean, "") == measures.SHARE
    one.flat[10] = 1
    with pytest.raises(AssertionError, match="differ"):
        hold_equal(one, clean, "")
    two = clean.copy()
    two.flat[0] = 2
    with pytest.raises(AssertionError, match="2/255"):
        hold_equal(two, clean, "")


def held(made: Corruption, images: Any) -> None:
    """The comparison of distributions at severity 3."""
    table = "32" if "32" in CASES[made.name].small else "224"
    hold_distribution(made, table, 3, images)


@pytest.mark.parametrize("name", sorted({name for name, _ in RANDOM}))
def test_another_distribution(name: str, many: Any) -> None:
    made = corruption(name)
    milder = {t: (*levels[:2], levels[0], *levels[3:]) for t, levels in made.tables.items()}
    with pytest.raises(AssertionError, match="differs by"):
        held(dataclasses.replace(made, tables=milder), many)


def noise(change: Callable[[Tensor], Tensor]) -> Corruption:
    """Gaussian noise whose error is changed."""
    made = corruption("gaussian_noise")

    def function(x: Tensor, level: Any, rng: Rng) -> Tensor:
        return (x + change(made.function(x, level, rng) - x)).clamp(0, 1)

    return dataclasses.replace(made, in_bytes=None, function=function)


def test_noise_of_four_percent_more_and_noise_of_another_form(many: Any) -> None:
    held(noise(lambda error: error), many)
    with pytest.raises(AssertionError, match="PSNR differs"):
        held(noise(lambda error: error * 1.04), many)
    with pytest.raises(AssertionError, match="SSIM differs"):  # of the same mean square, and shared by the channels
        held(noise(lambda error: error[:, :1].sort(-1).values.expand_as(error)), many)


def test_too_few_images_to_tell(many: Any) -> None:
    with pytest.raises(AssertionError, match="differs by"):
        held(corruption("fog"), many[:2])


@pytest.mark.parametrize("name", HERE)
def test_a_label_that_says_too_much_or_nothing(name: str) -> None:
    made = corruption(name)
    for label in {"exact", "injected-exact", "distributional", "none"} - {made.parity.get("224")}:
        with pytest.raises(AssertionError, match="table 224"):
            hold_labels(dataclasses.replace(made, parity={**made.parity, "224": label}))
    with pytest.raises(AssertionError, match="table 224"):
        hold_labels(dataclasses.replace(made, laws={**made.laws, "224": "ours"}))
    with pytest.raises(AssertionError, match="table 224"):
        hold_labels(dataclasses.replace(made, parity={}))


def test_draws_of_another_form_are_refused() -> None:
    image, z = np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3))
    with pytest.raises(AssertionError, match="more than"):
        peer.corrupt(image, "gaussian_noise", 1, peer.Given([]))
    with pytest.raises(AssertionError, match="asks for"):
        peer.corrupt(image, "gaussian_noise", 1, peer.Given([z[..., 0]]))
    with pytest.raises(AssertionError, match="left 1"):
        peer.corrupt(image, "gaussian_noise", 1, peer.Given([z, z]))
    with pytest.raises(AssertionError, match="not below 3"):
        peer.Given([np.array(3)]).randint(3)
    with pytest.raises(AssertionError, match="below 1"):
        peer.Given([np.array(0)]).randint(1, 3)


def test_a_replay_gives_the_numbers_of_an_rng_and_lists_each_draw_once() -> None:
    plain, replay = Rng(0, ("a",), range(3)), Replay(0, ("a",), range(3))
    assert torch.equal(plain.normal(2, 2), replay.normal(2, 2))
    assert torch.equal(
        plain.at(slice(1, 3)).child("b").permutation(5), replay.at(slice(1, 3)).child("b").permutation(5)
    )
    assert [(kind, values.shape) for kind, values in replay.drawn] == [("normal", (3, 2, 2)), ("permutation", (2, 5))]
    np.testing.assert_array_equal(replay.of_image(1)[0], Rng(0, ("a",), [1]).normal(2, 2)[0].numpy())


def test_an_image_without_a_result_is_left_out_and_many_are_an_error(
    monkeypatch: pytest.MonkeyPatch, many: Any
) -> None:
    true, calls = peer.values, iter(range(10**6))

    def sometimes(every: int) -> Any:
        def values(*arguments: Any) -> Any:
            if next(calls) % every == 0:
                raise peer.Undefined
            return true(*arguments)

        return values

    monkeypatch.setattr(peer, "values", sometimes(40))
    hold_images(corruption("jpeg_compression"), "224", many)
    monkeypatch.setattr(peer, "values", sometimes(4))
    with pytest.raises(AssertionError, match="has a result for"):
        hold_images(corruption("jpeg_compression"), "224", many)
