import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from apply_references import hold_bounded, hold_chain
from PIL import Image
from tiny import Toy
from torch import Tensor
from torchvision import tv_tensors

import robustmeta as rm
from robustmeta.config.study import Canvas
from robustmeta.core import CellError, to_bytes, to_float
from robustmeta.corruptions.apply import content_ids, corrupt_chain
from robustmeta.corruptions.contrast import contrast
from robustmeta.corruptions.defocus_blur import defocus_blur
from robustmeta.corruptions.gaussian_noise import gaussian_noise
from robustmeta.corruptions.samples import ink, scenes
from robustmeta.registry import ComponentError
from robustmeta.rng import Rng
from robustmeta.shifts.shift import Stage
from robustmeta.study.data import Data

N, H, W = 3, 40, 52
COLOUR = scenes(N, W)[:, :, :H]
GRAY = COLOUR[:, :1]
WANT = {"RGB": rm.corrupt(COLOUR, "gaussian_noise", 3), "L": rm.corrupt(GRAY, "gaussian_noise", 3)}


def noisy(images: Any, **options: Any) -> Any:
    return rm.corrupt(images, "gaussian_noise", 3, **options)


def test_it_is_the_law_under_the_stream_of_a_study() -> None:
    rng = Rng(5, ("corruption", "gaussian_noise", 0), [7, 1, 9])
    want = gaussian_noise(COLOUR, gaussian_noise.tables["32"][2], rng)
    assert torch.equal(rm.corrupt(COLOUR, "gaussian_noise", 3, seed=5, ids=[7, 1, 9]), want)


def test_a_chain_goes_on_from_what_is_there_with_a_stream_for_each_place() -> None:
    hold_chain()
    one = rm.corrupt(COLOUR, ["defocus_blur"], severity=2)
    assert torch.equal(one, rm.corrupt(COLOUR, defocus_blur, 2))
    assert not torch.equal(rm.corrupt(COLOUR, [gaussian_noise, "defocus_blur"], 2), noisy(one))


def test_a_study_sees_the_same_pixels() -> None:
    source, canvas = Toy(split="test"), Canvas(size=32, channels=1)
    domain, rows = source.load(32, 1), np.array([9, 2, 30])
    stages = (Stage(defocus_blur, defocus_blur.tables["32"][3]), Stage(gaussian_noise, gaussian_noise.tables["32"][3]))
    view = Data(canvas).view(source, stages, 4, rows)[torch.from_numpy(rows)]
    images, ids = domain.images[torch.from_numpy(rows)], domain.ids[rows]
    assert torch.equal(corrupt_chain(images, stages, 4, ids), view)
    assert torch.equal(rm.corrupt(images, ["defocus_blur", "gaussian_noise"], 4, seed=4, ids=ids), view)


def as_pictures(images: Tensor) -> list[Image.Image]:
    return [Image.fromarray(i.movedim(0, -1).numpy().squeeze()) for i in images]


def from_pictures(pictures: list[Image.Image]) -> Tensor:
    return torch.stack([torch.from_numpy(np.array(p)).reshape(H, W, -1) for p in pictures]).movedim(-1, 1)


LAYOUTS: dict[str, tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]] = {
    "NCHW": (lambda x: x, lambda y: y),
    "NCHW array": (lambda x: x.numpy(), torch.from_numpy),
    "NHWC array": (lambda x: x.movedim(1, -1).contiguous().numpy(), lambda y: torch.from_numpy(y).movedim(-1, 1)),
    "NHWC view": (lambda x: x.movedim(1, -1).numpy(), lambda y: torch.from_numpy(y).movedim(-1, 1)),
    "channels last": (lambda x: x.to(memory_format=torch.channels_last), lambda y: y),
    "reversed": (lambda x: x.numpy()[::-1, :, ::-1, ::-1], lambda y: torch.from_numpy(y.copy())),
    "pictures": (as_pictures, from_pictures),
    "image tensor": (tv_tensors.Image, lambda y: y.as_subclass(Tensor)),
}
ONE: dict[str, tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]] = {
    "CHW": (lambda x: x, lambda y: y),
    "CHW array": (lambda x: x.numpy(), torch.from_numpy),
    "HWC array": (lambda x: x.movedim(0, -1).numpy(), lambda y: torch.from_numpy(y).movedim(-1, 0)),
    "picture": (lambda x: as_pictures(x[None])[0], lambda y: from_pictures([y])[0]),
    "image tensor": (tv_tensors.Image, lambda y: y.as_subclass(Tensor)),
}


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "gray"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_a_batch(layout: str, colour: bool) -> None:
    there, back = LAYOUTS[layout]
    x, want = (COLOUR, WANT["RGB"]) if colour else (GRAY, WANT["L"])
    given = there(x.clone())
    kept = there(x.clone())
    made = noisy(given)
    assert type(made) is type(given)
    if layout == "reversed":
        x = x.flip(0, 2, 3)
        want = noisy(x)
    if not isinstance(made, list):
        assert (made.shape, made.dtype) == (given.shape, given.dtype)
        assert (np.asarray(given) == np.asarray(kept)).all()
    assert torch.equal(back(made), want)


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "gray"])
@pytest.mark.parametrize("layout", ONE)
def test_every_layout_of_one_image(layout: str, colour: bool) -> None:
    there, back = ONE[layout]
    x, want = (COLOUR, WANT["RGB"]) if colour else (GRAY, WANT["L"])
    made = noisy(there(x[1].clone()), ids=1)
    assert type(made) is type(there(x[1]))
    assert torch.equal(back(made), want[1])


def test_a_gray_image_without_channels() -> None:
    assert torch.equal(noisy(GRAY[0, 0]), WANT["L"][0, 0])
    assert (noisy(GRAY[0, 0].numpy()) == WANT["L"][0, 0].numpy()).all()
    assert noisy(as_pictures(GRAY)[0]).mode == "L"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floats_stay_floats_without_eight_bits_in_between(dtype: torch.dtype) -> None:
    x = (to_float(COLOUR) * 0.9 + 0.001).to(dtype)
    chain = ["gaussian_noise", "contrast"]
    noise = Rng(0, ("corruption", "gaussian_noise", 0), range(N))
    first = gaussian_noise.function(x.float(), gaussian_noise.tables["32"][2], noise)
    want = contrast.function(first, contrast.tables["32"][2], noise).to(dtype)
    made = rm.corrupt(x, chain, 3)
    assert made.dtype == dtype
    assert torch.equal(made, want)
    if dtype != torch.bfloat16:
        assert (rm.corrupt(x.numpy(), chain, 3) == want.numpy()).all()
    assert len(made.unique()) > 256


def test_floats_of_the_other_byte_order_and_read_only_arrays() -> None:
    x = to_float(COLOUR).numpy().astype(">f4")
    x.flags.writeable = False
    made = noisy(x)
    assert made.dtype == x.dtype
    assert (made == noisy(to_float(COLOUR)).numpy()).all()


def test_an_id_decides_on_the_draw_wherever_its_image_is() -> None:
    ids = np.array([2**64 - 1, 0, 12], np.uint64)
    whole = noisy(COLOUR, ids=ids)
    assert torch.equal(noisy(COLOUR[[2, 0]], ids=[12, 2**64 - 1]), whole[[2, 0]])
    assert torch.equal(noisy(COLOUR[1], ids=0), whole[1])
    assert torch.equal(noisy(COLOUR[1:], ids=torch.tensor([0, 12])), whole[1:])
    assert torch.equal(noisy(COLOUR[:1].expand(2, -1, -1, -1), ids=[5, 5]).diff(dim=0), torch.zeros_like(COLOUR[:1]))
    assert not torch.equal(noisy(COLOUR, seed=1), noisy(COLOUR))


def test_pictures_of_any_sizes_in_one_list_keep_their_places() -> None:
    sizes = [(30, 40), (64, 64), (30, 40), (40, 30), (64, 64)]
    pictures = [Image.fromarray(scenes(5, 64)[k, :, :h, :w].movedim(0, -1).numpy()) for k, (w, h) in enumerate(sizes)]
    pictures[2] = pictures[2].convert("L")
    made = noisy(pictures, ids=[9, 8, 7, 6, 5])
    assert [(p.size, p.mode) for p in made] == [(p.size, p.mode) for p in pictures]
    for picture, alone, key in zip(made, pictures, [9, 8, 7, 6, 5], strict=True):
        assert (np.asarray(noisy(alone, ids=key)) == np.asarray(picture)).all()
    assert noisy([]) == []


def test_no_images_are_no_error() -> None:
    assert noisy(COLOUR[:0]).shape == (0, 3, H, W)
    assert noisy(np.empty((0, 3, H, W))).dtype == np.float64


@pytest.mark.parametrize(
    ("height", "width", "table"), [(64, 32, "32"), (63, 224, "32"), (64, 224, "64"), (300, 224, "224")]
)
def test_the_short_side_decides_on_the_table(height: int, width: int, table: str) -> None:
    x = torch.full((1, 1, height, width), 0.5)
    level = gaussian_noise.tables[table][4]
    assert torch.equal(rm.corrupt(x, "gaussian_noise", 5), rm.corrupt(x, "gaussian_noise", level=level))
    other = rm.corrupt(x, "gaussian_noise", 5, table="ink-28")
    assert torch.equal(other, rm.corrupt(x, "gaussian_noise", level=gaussian_noise.tables["ink-28"][4]))


def test_a_table_of_one_of_a_chain_is_auto_for_the_others() -> None:
    levels = replace(contrast, tables={"levels": (0.9, 0.5, 0.1)})
    x = to_float(COLOUR)
    made = rm.corrupt(x, [levels, "defocus_blur"], 3, table="64")
    want = [contrast.function(x, 0.1, Rng(0, (), range(N)))]
    want.append(defocus_blur.function(want[0], defocus_blur.tables["64"][2], Rng(0, (), range(N))))
    assert torch.equal(made, want[1])


def test_nothing_is_differentiated_and_nothing_of_the_caller_is_changed() -> None:
    def spoil(x: Tensor, level: float, rng: Rng) -> Tensor:
        return x.mul_(level)

    x = to_float(COLOUR).requires_grad_()
    made = rm.corrupt(x, replace(contrast, function=spoil), 3)
    assert not made.requires_grad
    assert torch.equal(x.detach(), to_float(COLOUR))
    array = to_float(COLOUR).numpy()
    rm.corrupt(array, replace(contrast, function=spoil), 3)
    assert (array == to_float(COLOUR).numpy()).all()


def test_what_misses_the_range_by_rounding_is_cut() -> None:
    over = replace(contrast, function=lambda x, level, rng: x.clamp(1, 1) + 5e-7)
    assert rm.corrupt(to_float(COLOUR), over, 1).max() == 1
    with pytest.raises(CellError, match="clamp them"):
        rm.corrupt(to_float(COLOUR), replace(contrast, function=lambda x, level, rng: x + 1), 1)


FLOAT = to_float(COLOUR)
WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "name": (lambda: rm.corrupt(COLOUR, "gausian_noise", 3), ComponentError, "did you mean gaussian_noise?"),
    "no strength": (lambda: rm.corrupt(COLOUR, "contrast"), ComponentError, "an integer from 1 to 5; none was given"),
    "severity 0": (lambda: rm.corrupt(COLOUR, "contrast", 0), ComponentError, "has the severities 1 to 5; got 0"),
    "severity 6": (lambda: rm.corrupt(COLOUR, "contrast", 6), ComponentError, "has the severities 1 to 5; got 6"),
    "half": (lambda: rm.corrupt(COLOUR, "contrast", 2.5), ComponentError, "an integer from 1 to 5; got 2.5"),  # type: ignore[arg-type]
    "true": (lambda: rm.corrupt(COLOUR, "contrast", True), ComponentError, "an integer from 1 to 5; got True"),
    "table": (lambda: rm.corrupt(COLOUR, "contrast", 3, table="ink"), ComponentError, "did you mean ink-28?"),
    "level too": (lambda: rm.corrupt(COLOUR, "contrast", 3, level=0.5), ComponentError, "instead of its severity"),
    "level of a chain": (
        lambda: rm.corrupt(COLOUR, ["contrast", "contrast"], level=1),
        ComponentError,
        "one corruption",
    ),
    "empty chain": (lambda: rm.corrupt(COLOUR, [], 1), ComponentError, "empty chain"),
    "twice": (lambda: rm.corrupt(COLOUR, [("contrast", 1)], 1), ComponentError, "has its severity already"),
    "in a chain": (lambda: rm.corrupt(COLOUR, ["contrast", 5], 1), ComponentError, "a .name, severity. pair; got 5"),  # type: ignore[list-item]
    "no table": (lambda: rm.corrupt(COLOUR, replace(contrast, tables={}), 2), ComponentError, "give level= instead"),
    "no corruption": (lambda: rm.corrupt(COLOUR, "robustmeta.rng:Rng", 2), ComponentError, "not a corruption"),
    "two channels": (lambda: noisy(COLOUR[:, :2]), ValueError, r"tensor of shape \(3, 2, 40, 52\).*C = 1 or 3"),
    "a batch of gray": (lambda: noisy(GRAY[:2, 0]), ValueError, r"images\[:, None\]"),
    "channels last": (lambda: noisy(COLOUR.movedim(1, -1)), ValueError, r"expected \(H, W\), \(C, H, W\), with N"),
    "ambiguous": (lambda: noisy(COLOUR.numpy()[..., :3]), ValueError, "ambiguous: .*torch.Tensor"),
    "five axes": (lambda: noisy(COLOUR[None]), ValueError, "no image"),
    "no pixels": (lambda: noisy(COLOUR[..., :0]), ValueError, "40 x 0 pixels"),
    "int64": (lambda: noisy(COLOUR.long()), ValueError, "uint8, or floating point.*got torch.int64"),
    "bool": (lambda: noisy(COLOUR.numpy() > 0), ValueError, "got bool"),
    "0 to 255": (lambda: noisy(COLOUR.float()), ValueError, r"got \[0, 25.\]; divide by 255"),
    "normalised": (lambda: noisy((FLOAT - 0.5) / 0.25), ValueError, r"got \[-2, .*before they are normalised"),
    "a little over": (lambda: noisy(FLOAT.numpy() * 1.01), ValueError, r"clamp to \[0, 1\]"),
    "NaN": (lambda: noisy(FLOAT / FLOAT), ValueError, "replace NaN"),
    "palette": (lambda: noisy(as_pictures(COLOUR)[0].convert("P")), ValueError, r"got P; use image.convert\('RGB'\)"),
    "alpha": (lambda: noisy([as_pictures(COLOUR)[0].convert("RGBA")]), ValueError, "mode L or RGB, got RGBA"),
    "text": (lambda: noisy("a.png"), TypeError, "expected a torch.Tensor, .*; got str"),
    "tensors in a list": (lambda: noisy([COLOUR]), TypeError, "got Tensor in a list"),
    "ids": (lambda: noisy(COLOUR, ids=[1, 2]), ValueError, r"an id for each of 3 images, got ids of shape \(2,\)"),
    "negative id": (lambda: noisy(COLOUR, ids=[1, -2, 3]), ValueError, r"integers from 0 .*got \[1, -2, 3\]"),
    "names": (lambda: noisy(COLOUR, ids=["a", "b", "c"]), ValueError, "hash names with robustmeta.rng.hash64"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(what: str) -> None:
    call, kind, text = WRONG[what]
    with pytest.raises(kind, match=text):
        call()


def test_equal_images_have_equal_ids_in_every_form_and_others_have_others() -> None:
    ids = content_ids(COLOUR)
    forms = (COLOUR.numpy(), COLOUR.movedim(1, -1).numpy(), FLOAT, FLOAT.half(), FLOAT.double(), as_pictures(COLOUR))
    assert all((content_ids(form) == ids).all() for form in forms)
    assert len({*ids, *content_ids(GRAY), *content_ids(COLOUR.transpose(2, 3)), *content_ids(COLOUR ^ 1)}) == 4 * N
    black = [content_ids(torch.zeros(1, h, 36 // h, dtype=torch.uint8))[0] for h in (2, 3, 6, 12)]
    assert len({*black}) == 4


def test_a_hundred_thousand_images_go_a_few_at_a_time() -> None:
    hold_bounded(100_000)


@pytest.mark.slow
def test_memory_beyond_the_result_is_bounded() -> None:
    code = (
        "import resource, numpy as np, robustmeta as rm\n"
        "def peak(n):\n"
        "    rm.corrupt(np.broadcast_to(np.uint8(7), (n, 1, 32, 32)), 'contrast', 3)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "print(peak(10), peak(100_000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    start, many = (float(v) for v in done.stdout.split())
    assert many - start - 100_000 * 32 * 32 / 2**20 < 16 * 16  # MiB: that many chunks, with all that is made of them


def test_importing_the_package_stays_light() -> None:
    code = "import sys, robustmeta; print({'torch', 'numpy', 'torchvision', 'PIL'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert {"corrupt", "Corrupt"} <= {*dir(rm)}
    assert all(a <= b for a, b in pairwise(rm.__all__))


def test_ink_is_corrupted_as_well() -> None:
    assert not torch.equal(noisy(ink(2)), ink(2))
    assert torch.equal(to_bytes(noisy(to_float(ink(2)))), noisy(ink(2)))
