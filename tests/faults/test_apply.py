"""Each check of corrupting in one call, and of what a corruption must stand, turns red on a planted fault."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from any_input import SHAPES, hold, hold_on_gpu
from apply_references import hold_bounded, hold_chain
from torch import Tensor

from robustmeta.core import CellError
from robustmeta.corruptions import apply
from robustmeta.corruptions.contrast import contrast
from robustmeta.corruptions.defocus_blur import defocus_blur
from robustmeta.corruptions.gaussian_noise import gaussian_noise
from robustmeta.rng import Keys, Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.shift import Stage
from robustmeta.testing import check_corruption

Law = Callable[[Tensor, Any, Rng], Tensor]


def made(law: Law) -> Corruption:
    return replace(contrast, name="faulty", function=law)


def fixed_size(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return x * torch.linspace(0, 1, x.shape[2])  # as wide as high


def three_channels(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return x[:, [2, 1, 0]]


def squeezed(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return x.squeeze()


def unclamped(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return x * 1.1


@pytest.mark.parametrize("law", [fixed_size, three_channels, squeezed, unclamped])
def test_a_corruption_of_some_shapes_only(law: Law) -> None:
    red = 0
    for shape in SHAPES:
        try:
            hold(made(law), shape)
        except CellError:
            red += 1
    assert red > 0


def test_floats_under_other_draws_than_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    once = apply._once
    monkeypatch.setattr(apply, "_once", lambda x, stage, rng: once(x, stage, rng.child(str(x.dtype))))
    with pytest.raises(AssertionError, match="uint8 and float differ"):
        hold(gaussian_noise, SHAPES[0])


def test_the_checker_tries_images_that_are_not_square() -> None:
    assert [f.name for f in check_corruption(made(fixed_size)) if not f.passed] == ["runs"]


def numpy_on_gpu(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return torch.from_numpy(x.numpy() * 0.5)


def left_on_cpu(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return x.cpu() * 0.5


def draws_on_cpu(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return (x + 0.1 * rng.normal(*x.shape[1:])).clamp(0, 1)


def made_on_cpu(x: Tensor, level: Any, rng: Rng) -> Tensor:
    return x * torch.linspace(0, 1, x.shape[-1])


def written_into_a_copy(x: Tensor, level: Any, rng: Rng) -> Tensor:
    y = x.clone()
    y.cpu().numpy()[:] *= 0.5
    return y


GPU_FAULTS: dict[str, tuple[Law, type[Exception], str]] = {
    "NumPy": (numpy_on_gpu, CellError, "to numpy; use Tensor.cpu"),
    "left on the CPU": (left_on_cpu, AssertionError, "leaves the GPU"),
    "draws": (draws_on_cpu, CellError, "same device"),
    "made": (made_on_cpu, CellError, "same device"),
    "a copy": (written_into_a_copy, AssertionError, "differs on the GPU"),
}


@pytest.mark.parametrize("name", GPU_FAULTS)
def test_what_a_gpu_would_not_stand(name: str) -> None:
    law, kind, text = GPU_FAULTS[name]
    with pytest.raises(kind, match=text):
        hold_on_gpu(made(law))


def test_what_a_gpu_does_stand() -> None:
    def sound(x: Tensor, level: Any, rng: Rng) -> Tensor:
        ramp, noise = torch.linspace(0, 1, x.shape[-1], device=x.device), rng.normal(*x.shape[1:]).to(x)
        through = torch.from_numpy(x.cpu().numpy() * 0.5).to(x.device)
        y = torch.zeros_like(x)
        y[:, :, rng.permutation(x.shape[2])[0]] = (through + ramp + 0.1 * noise + torch.tensor(0.1)).clamp_(0, 1)
        return torch.where(y > float(y.mean()), y, y.new_ones(()))

    hold_on_gpu(made(sound))


def test_all_images_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustmeta.core.CHUNK_BYTES", 2**40)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)  # more of them would share the images
    with pytest.raises(AssertionError, match="more than the stated memory"):
        hold_bounded(10_000)


def one_stream(images: Tensor, stages: list[Stage], seed: int, ids: Keys) -> Tensor:
    for stage in stages:
        images = stage.corruption(images, stage.level, Rng(seed, ("corruption", stage.corruption.name), ids))
    return images


def from_the_start(images: Tensor, stages: list[Stage], seed: int, ids: Keys) -> Tensor:
    out = images
    for place, stage in enumerate(stages):
        out = stage.corruption(images, stage.level, Rng(seed, ("corruption", stage.corruption.name, place), ids))
    return out


@pytest.mark.parametrize("fault", [one_stream, from_the_start])
def test_a_chain_without_places_or_from_the_start(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "corrupt_chain", fault)
    with pytest.raises(AssertionError, match="differs from its law"):
        hold_chain()


def test_a_severity_off_by_one_in_a_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = defocus_blur.tables["32"]
    tables = {**defocus_blur.tables, "32": (*levels[1:], levels[0])}
    follow = apply.follow

    def off(chosen: Any, *args: Any) -> Any:
        parts = (replace(chosen.parts[0], corruption=replace(defocus_blur, tables=tables)), *chosen.parts[1:])
        return follow(replace(chosen, parts=parts), *args)

    monkeypatch.setattr(apply, "follow", off)
    with pytest.raises(AssertionError, match="differs from its law"):
        hold_chain()
