"""A frozen network gives what the network gives."""

import pytest
import torch
from torch import nn

from robustmeta.backbones import frozen as module
from robustmeta.backbones.conv4 import Conv4
from robustmeta.backbones.conv6 import Conv6
from robustmeta.backbones.frozen import frozen
from robustmeta.backbones.mlp import Mlp
from robustmeta.backbones.resnet12 import ResNet12
from robustmeta.config.components import Backbone
from robustmeta.nets import Network, Norm

FOLDED = {
    "conv4": Conv4(width=6),
    "pooled": Conv4(width=6, down="pool"),
    "conv6": Conv6(width=4),
    "resnet12": ResNet12(),
}
AS_THEY_ARE = {"group": Conv4(width=16, norm="group"), "none": Conv4(width=6, norm="none"), "mlp": Mlp()}
X = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def trained(backbone: Backbone) -> Network:
    """A network whose averages and scales are not where they started."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Network(backbone.build(28, 1)).double()
        for norm in net.norms.values():
            for value in (norm.weight, norm.bias, norm.running_mean):
                nn.init.normal_(value)
            nn.init.uniform_(norm.running_var, 0.1, 2)
    return net


def gap(net: Network) -> float:
    with torch.no_grad():
        expected = net(X)
        return float((frozen(net)(X) - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", [*FOLDED, *AS_THEY_ARE])
def test_the_same_features(name: str) -> None:
    net = trained({**FOLDED, **AS_THEY_ARE}[name])
    before = {k: v.clone() for k, v in net.state_dict().items()}
    assert gap(net) < 1e-12
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
