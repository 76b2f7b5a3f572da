"""Statistics that are recorded while a pass normalises with them."""

import pytest
import torch
from torch import nn

from robustmeta.functional import normalise
from robustmeta.functional.normalise import batch_statistics
from robustmeta.nets import Norm

X = torch.randn(6, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def passed(constant: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The outputs, the gradient of a sum of their cubes, and the recorded moments."""
    norm, x = Norm(3).double(), X.clone().requires_grad_()
    nn.init.constant_(norm.bias, 0.5)
    with batch_statistics(constant=constant) as seen:
        out = norm(x)
    (gradient,) = torch.autograd.grad(out.pow(3).sum(), x)
    return out.detach(), gradient, *seen[""]


def test_constant_ones_are_the_same_numbers() -> None:
    for got, expected in zip(passed(True), passed(False), strict=True):
        torch.testing.assert_close(got, expected.detach(), rtol=1e-12, atol=1e-12)
    assert not passed(True)[2].requires_grad


def test_an_unbiased_variance_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = normalise.normalise_and_record

    def unbiased(x: torch.Tensor, *rest: object) -> tuple[torch.Tensor, normalise.Moments]:
        out, (mean, variance) = honest(x, *rest)  # type: ignore[arg-type]
        return out, (mean, variance * 120 / 119)

    monkeypatch.setattr(normalise, "normalise_and_record", unbiased)
    assert (passed(True)[3] - passed(False)[3]).abs().max() > 1e-3
