"""Convolution and normalisation of many tasks against torch's, with both derivatives."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck
from torch.func import vmap

from robustmeta.functional.by_task import batch_norm, batch_norm_tasks, by_task, convolve, convolve_tasks
from robustmeta.functional.patches import patches
from robustmeta.nets import Conv, Network

GENERATOR = torch.Generator().manual_seed(0)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((7, 7), (3, 3), (2, 2), (1, 1)),
        ((6, 5), (3, 2), (1, 2), (0, 1)),
        ((4, 4), (1, 1), (1, 1), (0, 0)),
        ((5, 6), (5, 5), (3, 1), (2, 2)),
    ],
)
def test_convolution(size, kernel, stride, padding) -> None:
    x, weight = normal(2, 3, 4, *size), normal(2, 5, 4, *kernel)
    expected = torch.stack([F.conv2d(a, w, None, stride, padding) for a, w in zip(x, weight, strict=True)])
    torch.testing.assert_close(convolve_tasks(x, weight, stride, padding), expected)
    rows, sites = patches(x, kernel, stride, padding)
    assert rows.shape == (2, 3 * sites[0] * sites[1], 4 * kernel[0] * kernel[1])

    def law(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return convolve_tasks(x, weight, stride, padding)

    few = normal(2, 1, 2, *size), normal(2, 2, 2, *kernel)
    assert gradcheck(law, few)
    assert gradgradcheck(law, few)


def test_normalisation() -> None:
    x, weight, bias = normal(2, 3, 4, 2, 2), normal(2, 4), normal(2, 4)
    parts = zip(x, weight, bias, strict=True)
    expected = torch.stack([F.batch_norm(a, None, None, w, b, training=True, eps=0.01) for a, w, b in parts])

    def law(*inputs: torch.Tensor) -> torch.Tensor:
        return batch_norm_tasks(*inputs, 0.01)

    torch.testing.assert_close(law(x, weight, bias), expected)
    assert gradcheck(law, (x, weight, bias))
    assert gradgradcheck(law, (x, weight, bias))


@pytest.mark.parametrize("mapped", [(0, 0, 0), (0, None, None), (None, 0, 0), (1, 1, 0)])
def test_vmap_is_a_loop_whatever_is_mapped(mapped) -> None:
    given = [normal(2, 2, 3, 5, 5), normal(2, 2, 3, 3, 3), normal(2, 2)]
    given = [v if d is not None else v[0] for v, d in zip(given, mapped, strict=True)]

    def law(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return batch_norm(convolve(x, weight, bias, (1, 1), (1, 1)), bias.exp(), bias, 1e-5)

    with by_task():
        got = vmap(law, in_dims=mapped)(*given)
    task = [[v if d is None else v.select(d, t) for v, d in zip(given, mapped, strict=True)] for t in range(2)]
    torch.testing.assert_close(got, torch.stack([law(*values) for values in task]))


@pytest.mark.parametrize(
    ("other", "ours"),
    [
        ({}, True),
        ({"groups": 2}, False),
        ({"dilation": 2}, False),
        ({"padding": "same"}, False),
        ({"bias": False}, True),
    ],
)
def test_a_network_takes_over_plain_convolutions(other, ours: bool) -> None:
    body = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3, **other), torch.nn.Flatten(), torch.nn.LazyLinear(3))
    x = torch.rand(2, 2, 6, 6)
    expected = body(x)
    body.features = 3  # type: ignore[assignment]
    net = Network(body)
    assert isinstance(net.body[0], Conv) == ours  # type: ignore[index]
    torch.testing.assert_close(net(x), expected)
    assert net.state_dict()["body.0.weight"].shape == body[0].weight.shape
