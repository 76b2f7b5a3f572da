"""conv4's shapes, its normalisations, and the layer that never writes."""

import pytest
import torch
from torch import nn

from robustmeta.backbones.conv4 import Conv4
from robustmeta.core import StudyError, copy_state
from robustmeta.functional.normalise import batch_statistics, given_statistics
from robustmeta.nets import Network, Norm


@pytest.mark.parametrize("norm", ["auto", "batch", "support_plus_one", "per_step", "group", "none"])
@pytest.mark.parametrize("down", ["stride", "pool"])
@pytest.mark.parametrize(("size", "channels"), [(16, 1), (28, 1), (32, 3), (45, 3)])
def test_shapes(norm: str, down: str, size: int, channels: int) -> None:
    net = Conv4(width=6, down=down, norm=norm).build(size, channels)  # type: ignore[arg-type]
    z = net(torch.rand(2, channels, size, size))
    assert z.shape == (2, net.features)
    side = {16: 1, 28: 2 if down == "stride" else 1, 32: 2, 45: 3 if down == "stride" else 2}[size]
    assert net.features == 6 * side**2


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(StudyError, match="needs 16 pixels or more, got 15"):
        Conv4().build(15, 1)


def test_the_weights_follow_the_seed() -> None:
    with torch.random.fork_rng():
        nets = [torch.manual_seed(s) and Conv4(width=4).build(28, 1) for s in (0, 0, 1)]
    weights = [next(n.parameters()) for n in nets]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("norm", "alone"), [("auto", True), ("group", True), ("none", True), ("batch", False), ("support_plus_one", False)]
)
def test_alone(norm: str, alone: bool) -> None:
    backbone = Conv4(width=4, norm=norm)  # type: ignore[arg-type]
    assert backbone.alone() == alone
    assert (Network(backbone.build(16, 1)).mode == "auto") == alone


def test_norm_is_torchs() -> None:
    ours, theirs = Norm(3), nn.BatchNorm2d(3)
    with torch.no_grad():
        for p in (*ours.parameters(), *theirs.parameters()):
            p.copy_(torch.tensor([0.5, 1.0, -2.0]))
    x = torch.rand(4, 3, 5, 5) * 3
    with batch_statistics() as statistics:
        torch.testing.assert_close(ours(x), theirs(x))
    with given_statistics(statistics):
        torch.testing.assert_close(ours(x), theirs.train()(x))
    torch.testing.assert_close(
        ours(x), nn.functional.batch_norm(x, torch.zeros(3), torch.ones(3), ours.weight, ours.bias)
    )


def test_batch_norm_is_replaced_and_its_averages_kept() -> None:
    inner = nn.BatchNorm2d(2)
    body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(inner), nn.Flatten())
    inner(torch.rand(5, 2, 4, 4))
    body.features = 8  # type: ignore[assignment]
    x = torch.rand(2, 1, 4, 4)
    expected = body.eval()(x)
    net = Network(body)
    before = copy_state(net)
    torch.testing.assert_close(net.train()(x), expected)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_running_averages_follow_a_pass() -> None:
    net = Network(Conv4(width=4).build(16, 1))
    x = torch.rand(6, 1, 16, 16)
    with batch_statistics() as statistics:
        net(x)
    for _ in range(200):
        net.follow(statistics)
    with batch_statistics():
        expected = net(x)
    torch.testing.assert_close(net(x), expected, atol=1e-3, rtol=1e-3)
