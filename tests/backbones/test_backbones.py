"""Every built-in backbone: any canvas, nothing written, no chance, tasks of their own weights."""

import pytest
import torch
import torch.nn.functional as F

from robustmeta.backbones.conv4 import Conv4
from robustmeta.backbones.conv6 import Conv6
from robustmeta.backbones.mlp import Mlp
from robustmeta.backbones.resnet12 import ResNet12
from robustmeta.backbones.torchvision import Torchvision
from robustmeta.config.components import Backbone
from robustmeta.core import StudyError, copy_state
from robustmeta.functional.inner_loop import per_task
from robustmeta.functional.normalise import batch_statistics
from robustmeta.nets import Network
from robustmeta.registry import builtin

TABLE: dict[str, Backbone] = {
    "conv4": Conv4(width=6),
    "conv6": Conv6(width=6, down="pool"),
    "mlp": Mlp(hidden=(12, 7)),
    "resnet12": ResNet12(width=4),
    "torchvision": Torchvision(model="shufflenet_v2_x0_5"),
}
FEATURES = {"conv4": {28: 24, 84: 216, 45: 54}, "conv6": {28: 6, 84: 150, 45: 24}}
EVERY = pytest.mark.parametrize("name", TABLE)


def network(name: str, size: int = 28, channels: int = 1, seed: int = 0, **changes: object) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(TABLE[name].model_copy(update=changes).build(size, channels))


def images(count: int, size: int = 28, channels: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(seed))


def test_the_table_has_every_backbone() -> None:
    assert set(TABLE) | {"timm"} == set(builtin("backbones"))  # timm is an extra: test_timm.py


@EVERY
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (84, 3), (45, 3)])
def test_any_canvas_gives_a_row_of_features(name: str, size: int, channels: int) -> None:
    net = network(name, size, channels)
    x = images(2, size, channels).requires_grad_()
    z = net(x)
    assert z.shape == (2, net.features)
    assert net.features == FEATURES.get(name, {}).get(size, net.features)
    assert z.isfinite().all()
    (slope,) = torch.autograd.grad(z.sum(), x)
    assert slope.abs().sum() > 0


@EVERY
def test_a_pass_draws_and_writes_nothing(name: str) -> None:
    net, x = network(name).train(), images(3)
    before, state = copy_state(net), torch.get_rng_state()
    plain = net(x)
    with batch_statistics():
        net(x)
    assert torch.equal(net(x), plain)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


@EVERY
def test_weights_follow_the_seed(name: str) -> None:
    x = images(2)
    assert torch.equal(network(name)(x), network(name)(x))
    assert not torch.equal(network(name)(x), network(name, seed=1)(x))


@EVERY
@pytest.mark.parametrize("running", [False, True])
def test_tasks_with_weights_of_their_own(name: str, running: bool) -> None:
    net = network(name).double()
    x = torch.stack([images(3, seed=s) for s in range(2)]).double()
    own = {k: torch.stack([p, 1.1 * p]).detach() for k, p in net.named_parameters()}
    batched, apart = (per_task(net, {}, own, x, batched=b, running=running)[0] for b in (True, False))
    torch.testing.assert_close(batched, apart, atol=1e-8, rtol=1e-8)
    assert not torch.allclose(batched[0], batched[1])


@EVERY
@pytest.mark.parametrize("norm", ["auto", "batch", "support_plus_one", "per_step"])
def test_features_alone(name: str, norm: str) -> None:
    alone = TABLE[name].model_copy(update={"norm": norm}).alone()
    assert alone == (norm in ("auto", "per_step"))
    assert (network(name, norm=norm).mode == "auto") == alone
    assert network(name, norm="per_step").norms.keys() == network(name).norms.keys()


@pytest.mark.parametrize("norm", ["group", "none"])
@pytest.mark.parametrize("name", ["conv4", "conv6", "mlp", "resnet12"])
def test_without_statistics(name: str, norm: str) -> None:
    net, x = network(name, norm=norm), images(4)
    assert not net.norms
    torch.testing.assert_close(net(x)[:1], net(x[:1]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["conv4", "conv6", "resnet12"])
def test_too_small_an_image_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match=rf"{name} .* needs 16 pixels or more, got 15; raise images\.size"):
        TABLE[name].build(15, 1)


def count(backbone: Backbone, channels: int = 3, size: int = 84) -> int:
    return sum(p.numel() for p in backbone.build(size, channels).parameters())


def test_published_sizes() -> None:
    """Published networks keep a bias before each normalisation, which that takes away again."""
    assert count(Conv4()) + 4 * 64 == 113_088
    assert count(Conv4(), channels=1) + 4 * 64 == 111_936
    assert count(Conv6()) - count(Conv4()) == 2 * (64 * 64 * 9 + 2 * 64)
    assert count(ResNet12()) == 12_424_320
    assert ResNet12().build(84, 3).features == 640
    assert count(Torchvision(model="resnet18")) == 11_689_512 - 1000 * 513
    hidden = [(784, 256), (256, 128), (128, 64), (64, 64)]
    assert count(Mlp(), channels=1, size=28) == sum(a * b + 2 * b for a, b in hidden)


def test_resnet12_written_out() -> None:
    net = network("resnet12")
    p, x = dict(net.body.named_parameters()), images(3)
    with batch_statistics():
        got = net(x)

    def normed(x: torch.Tensor, part: str, padding: int) -> torch.Tensor:
        x = F.conv2d(x, p[f"{part}.conv.weight"], padding=padding)
        return F.batch_norm(x, None, None, p[f"{part}.norm.weight"], p[f"{part}.norm.bias"], training=True)

    for i in range(4):
        y = x
        for j in range(2):
            y = F.leaky_relu(normed(y, f"block{i}.layers.{j}", 1), 0.1)
        y = normed(y, f"block{i}.layers.2", 1) + normed(x, f"block{i}.short", 0)
        x = F.max_pool2d(F.leaky_relu(y, 0.1), 2)
    torch.testing.assert_close(got, x.mean((2, 3)), atol=1e-4, rtol=1e-4)


def test_mlp_written_out() -> None:
    net = network("mlp")
    p, x = dict(net.body.named_parameters()), images(5)
    with batch_statistics():
        got = net(x)
    x = x.flatten(1)
    for i in range(2):
        x = x @ p[f"layer{i}.linear.weight"].T
        x = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
        x = F.relu(x * p[f"layer{i}.norm.weight"] + p[f"layer{i}.norm.bias"])
    torch.testing.assert_close(got, x, atol=1e-5, rtol=1e-4)
