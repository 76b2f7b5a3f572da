"""A frozen network gives what the network gives."""

import pytest
import torch
from recalled import trained
from torch import Tensor, nn

from robustmeta.backbones import frozen as module
from robustmeta.backbones.conv4 import Conv4
from robustmeta.backbones.conv6 import Conv6
from robustmeta.backbones.frozen import frozen
from robustmeta.backbones.mlp import Mlp
from robustmeta.backbones.resnet12 import ResNet12
from robustmeta.functional import narrow
from robustmeta.nets import Network, Norm

FOLDED = {
    "conv4": Conv4(width=6),
    "pooled": Conv4(width=6, down="pool"),
    "conv6": Conv6(width=4),
    "resnet12": ResNet12(),
}
AS_THEY_ARE = {"group": Conv4(width=16, norm="group"), "none": Conv4(width=6, norm="none"), "mlp": Mlp()}
X = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gap(net: Network) -> float:
    with torch.no_grad():
        expected = net(X)
        return float((frozen(net)(X) - expected).abs().max() / expected.abs().max())


def slopes(net: nn.Module) -> tuple[Tensor, Tensor]:
    """The gradient of a sum of squares by the image, and by it the gradient of that gradient's squares."""
    x = X.clone().requires_grad_()
    (first,) = torch.autograd.grad(net(x).square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    return first.detach(), second


def slope_gap(net: Network) -> float:
    pairs = zip(slopes(frozen(net)), slopes(net), strict=True)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


@pytest.mark.parametrize("name", [*FOLDED, *AS_THEY_ARE])
def test_the_same_features(name: str) -> None:
    net = trained({**FOLDED, **AS_THEY_ARE}[name])
    before = {k: v.clone() for k, v in net.state_dict().items()}
    assert gap(net) < 1e-12
    assert slope_gap(net) < 1e-11
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.requires_grad for p in net.parameters())
    copied = frozen(net)
    assert not any(p.requires_grad for p in copied.parameters())
    assert name == "mlp" or not any(isinstance(m, Norm) for m in copied.modules())


def test_statistics_of_each_step_stay() -> None:
    net = Network(Conv4(width=4, norm="per_step").build(28, 1), 5, inner_steps=2)
    assert sum(isinstance(m, Norm) for m in frozen(net).modules()) == 4


def test_a_forgotten_epsilon_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = module._fold

    def without(conv: nn.Conv2d, norm: Norm) -> None:
        norm.eps = 0.0
        honest(conv, norm)

    monkeypatch.setattr(module, "_fold", without)
    assert gap(trained(FOLDED["conv4"])) > 1e-7


def test_a_slope_by_the_image_that_is_turned_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    net, fold = trained(FOLDED["conv4"]), narrow.F.fold
    assert slope_gap(net) < 1e-11
    monkeypatch.setattr(narrow.F, "fold", lambda rows, *given, **more: fold(rows.flip(1), *given, **more))
    assert slope_gap(net) > 1e-3
