"""Each check of library backbones turns red when its fault is planted."""

from pathlib import Path

import backbone_references as references
import pytest
import torch.nn.functional as F
from torch import nn

from robustmeta.backbones import fitted, pretrained
from robustmeta.backbones.fitted import Fitted
from robustmeta.nets import Norm


def gap(folder: Path) -> float:
    return references.torchvision_gap("mobilenet_v3_small", "classifier.3", folder / "weights.pt")


def test_a_forgotten_deviation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gap(tmp_path) < 1e-5
    monkeypatch.setattr(Fitted, "forward", lambda self, x: self.net(x - self.mean))
    assert gap(tmp_path) > 1e-2


def test_running_averages_that_are_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = fitted.choose_statistics

    def fresh(net: nn.Module, mode) -> None:
        honest(net, mode)
        for norm in (m for m in net.modules() if isinstance(m, Norm)):
            norm.running_var.fill_(1)

    monkeypatch.setattr(pretrained, "choose_statistics", fresh)
    assert gap(tmp_path) > 1e-2


def test_another_epsilon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Norm.__init__
    monkeypatch.setattr(Norm, "__init__", lambda self, channels, mode="auto", eps=1e-5: honest(self, channels, mode))
    assert gap(tmp_path) > 1e-4


def test_weights_that_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "fill", lambda net, path, head: None)
    assert gap(tmp_path) > 1e-2


def test_shrinking_without_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert references.stripes_left() < 0.2
    plain = F.interpolate
    monkeypatch.setattr(F, "interpolate", lambda x, size, mode, antialias: plain(x, size=size, mode=mode))
    assert references.stripes_left() > 0.4
