"""Backbones of libraries against what the libraries compute themselves."""

import torch
from torch import nn
from torchvision import models

from robustmeta.backbones.fitted import Body, Fitted
from robustmeta.backbones.torchvision import Torchvision
from robustmeta.nets import Network

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def run_in(net: nn.Module, size: int = 64) -> nn.Module:
    """The model with the averages of one batch: others let the image fade on its way through random weights."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.randn(8, 3, size, size))
    return net.eval()


def own_model(name: str, seed: int = 0) -> nn.Module:
    """torchvision's model as it comes, run in."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return run_in(models.get_model(name, weights=None))


def apart(got: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference of features, over the largest between two images'."""
    return float((got - expected).abs().max() / (expected[0] - expected[1]).abs().max())


def without_head(net: nn.Module, head: str) -> nn.Module:
    """The model up to the layer of that name."""
    net.set_submodule(head, nn.Identity())
    return net


def torchvision_gap(name: str, head: str, path, size: int = 64) -> float:
    """How far features are ``apart`` from torchvision's own of the same weights."""
    own = own_model(name)
    torch.save(own.state_dict(), path)
    net = Network(Torchvision(model=name, weights_file=path).build(size, 3))
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = without_head(own, head)((x - MEAN) / DEVIATION)
        return apart(net(x), expected)


def stripes_left() -> float:
    """The contrast of one-pixel stripes of 0 and 1 after an image has been shrunk to a third; 1 = all of it."""
    net = Fitted(Body(nn.Identity(), (), (0, 0, 0), (1, 1, 1)), 32)
    stripes = torch.zeros(1, 3, 96, 96)
    stripes[..., ::2] = 1
    seen = net(stripes)[..., 4:-4]
    return float(seen.max() - seen.min())
