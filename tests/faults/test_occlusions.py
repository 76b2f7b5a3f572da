"""Each check of what covers images turns red on a planted fault."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch.nn.functional as F
from occlusion_references import hold_cutout, hold_nested, hold_part, hold_resolution
from torch import Tensor

from robustmeta.corruptions import cutout as cutout_module
from robustmeta.corruptions import occlusion as occlusion_module
from robustmeta.corruptions.cutout import cutout
from robustmeta.corruptions.occlusion import occlusion
from robustmeta.functional.occlude import nearest_part, square
from robustmeta.rng import Rng


def test_a_part_that_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occlusion_module, "nearest_part", lambda d, part: d <= part)
    with pytest.raises(AssertionError, match=r"0\.05 of"):
        hold_part(occlusion)
    monkeypatch.setattr(occlusion_module, "nearest_part", lambda d, part: nearest_part(d, part - 0.01))
    with pytest.raises(AssertionError, match=r"0\.05 of"):
        hold_part(occlusion)


@pytest.mark.parametrize("corruption", [occlusion, cutout], ids=lambda c: c.name)
def test_levels_that_are_not_nested(corruption: Any) -> None:
    def elsewhere(x: Tensor, level: float, rng: Rng) -> Tensor:
        return corruption.function(x, level, rng.child(level))

    hold_nested(corruption)
    with pytest.raises(AssertionError, match="level"):
        hold_nested(replace(corruption, function=elsewhere))
    with pytest.raises(AssertionError, match="level"):
        hold_nested(replace(corruption, tables={"levels": (0.3, 0.3)}))


def test_colours_that_change_with_the_level() -> None:
    def repainted(x: Tensor, level: float, rng: Rng) -> Tensor:
        made = occlusion.function(x, level, rng)
        return made.where(made == x, made * (1 - level))

    with pytest.raises(AssertionError, match="level"):
        hold_nested(replace(occlusion, function=repainted))


@pytest.mark.parametrize(
    "fault",
    [
        lambda row, column, half, size: square(row, column, half + 1, size),
        lambda row, column, half, size: square(row + 1, column, half, size),
        lambda row, column, half, size: square(column % size[0], row % size[1], half, size),
        lambda row, column, half, size: square(row.clamp(half, size[0] - half), column, half, size),  # kept inside
    ],
)
def test_another_square(fault: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutout_module, "square", fault)
    with pytest.raises(AssertionError, match="around"):
        hold_cutout(cutout)


def aliased(x: Tensor, factor: float) -> Tensor:
    small = [max(1, round(side / factor)) for side in x.shape[-2:]]
    return F.interpolate(F.interpolate(x, small, mode="bilinear"), x.shape[-2:], mode="bilinear")


def half_a_pixel(x: Tensor, factor: float) -> Tensor:
    small = [max(1, round(side / factor)) for side in x.shape[-2:]]
    down = F.interpolate(x, small, mode="bilinear", antialias=True)
    return F.interpolate(down, x.shape[-2:], mode="bilinear", align_corners=True)


def truncated(x: Tensor, factor: float) -> Tensor:
    small = [max(1, int(side / factor)) for side in x.shape[-2:]]
    down = F.interpolate(x, small, mode="bilinear", antialias=True)
    return F.interpolate(down, x.shape[-2:], mode="bilinear")


@pytest.mark.parametrize("fault", [aliased, half_a_pixel, truncated])
def test_another_loss_of_resolution(fault: Callable[[Tensor, float], Tensor]) -> None:
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        hold_resolution(fault)
