"""What is recalled of an earlier version of an image changes no output."""

import pytest
import torch
from recalled import KEYS, Watch, gap, squared, trained

from robustmeta.backbones import recalling as home
from robustmeta.backbones.conv4 import Conv4
from robustmeta.backbones.conv6 import Conv6
from robustmeta.backbones.frozen import frozen
from robustmeta.backbones.mlp import Mlp
from robustmeta.backbones.recalling import Recalling
from robustmeta.backbones.resnet12 import ResNet12
from robustmeta.config.components import Backbone
from robustmeta.functional import recall as module
from robustmeta.functional.recall import Recall
from robustmeta.functional.windows import Window, changed, onward, seen_by
from robustmeta.rng import Rng

CHAINS: dict[str, Backbone] = {"conv4": Conv4(width=4), "pooled": Conv4(width=4, down="pool"), "conv6": Conv6(width=4)}
OTHERS: dict[str, Backbone] = {"group": Conv4(width=16, norm="group"), "mlp": Mlp(), "resnet12": ResNet12(width=8)}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize(("size", "side", "channels"), [(28, 1, 1), (28, 3, 3), (17, 2, 1), (21, 4, 1), (40, 5, 1)])
def test_the_same_outputs(name: str, size: int, side: int, channels: int) -> None:
    assert gap(CHAINS[name], size, side, channels) < 1e-12


def test_a_small_change_is_computed_in_windows_and_a_large_one_whole() -> None:
    for side, small in ((2, True), (20, False)):
        with Watch() as watch:
            assert gap(Conv4(width=4), 28, side) < 1e-12
        assert (watch.windows > 0) == small
        assert watch.whole >= len(KEYS)


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_stay_as_they_are(name: str) -> None:
    assert not isinstance(frozen(trained(OTHERS[name])).body, Recalling)


def test_numbers_of_the_wrong_images_change_nothing() -> None:
    net, x = frozen(trained(Conv4(width=4))), Rng(0, ("x",), KEYS).uniform(1, 28, 28).double()
    recall = Recall(len(x))
    with Watch(), torch.no_grad():
        for ids in (torch.arange(len(x)), torch.tensor([1, 2, 3, 0]), torch.tensor([1, 1, 1, 1])):
            with recall.versions(ids):
                torch.testing.assert_close(net(x), net(x), atol=0, rtol=0)
                found = net(x)
            recall.keep(ids)
            torch.testing.assert_close(found, net(x), atol=1e-12, rtol=0)


def test_what_asks_for_gradients_recalls_nothing() -> None:
    net, x = frozen(trained(Conv4(width=4))), Rng(0, ("x",), KEYS).uniform(1, 28, 28).double().requires_grad_()
    recall = Recall(len(x))
    with Watch() as watch, recall.versions(torch.arange(len(x))):
        assert net(x).requires_grad
    assert watch.whole == watch.windows == 0


def test_few_images_are_computed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = frozen(trained(Conv4(width=4))), Rng(0, ("x",), KEYS).uniform(1, 28, 28).double()
    with Watch() as watch, torch.no_grad(), Recall(len(x)).versions(torch.arange(len(x))):
        monkeypatch.setattr(home, "LEAST_PIXELS", 4 * 28**2 + 1)
        net(x)
        assert watch.whole == 0
        monkeypatch.setattr(home, "LEAST_PIXELS", 4 * 28**2)
        net(x)
        assert watch.whole == 4


def test_maps_that_are_too_large_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 0)
    with Watch() as watch:
        assert gap(Conv4(width=4), 28, 1) < 1e-12
    assert watch.whole == watch.windows == 0


def test_square_takes_the_same_path(monkeypatch: pytest.MonkeyPatch) -> None:
    made, windows = squared()
    assert windows > 0
    monkeypatch.setattr(module, "MOST_BYTES", 0)
    anew, none = squared()
    assert none == 0
    assert torch.equal(made, anew)


def test_windows_by_hand() -> None:
    rows = torch.zeros(3, 9, dtype=torch.bool)
    rows[0, 4], rows[1, 2:5] = True, True
    assert (changed(rows[:2]).start.tolist(), changed(rows[:2]).length) == ([4, 2], 3)
    assert changed(rows).length == 9  # of the last row nothing differs
    one = Window(torch.tensor([0, 3, 4, 8]), 1, 9)
    reached = onward(one, (3, 2, 1))  # cells 0..4, cell k under 2k - 1 .. 2k + 1
    assert (reached.start.tolist(), reached.length, reached.size) == ([0, 1, 2, 3], 2, 5)
    needed = seen_by(reached, (3, 2, 1), 9)
    assert (needed.start.tolist(), needed.length) == ([-1, 1, 3, 5], 5)
    assert needed.there().tolist()[0] == [False, True, True, True, True]
    assert needed.cells().tolist()[3] == [5, 6, 7, 8, 8]
