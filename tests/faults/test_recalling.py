"""Each check of what is recalled turns red when its fault is planted."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from recalled import gap

from robustmeta.backbones import recalling as home
from robustmeta.backbones.conv4 import Conv4
from robustmeta.functional import windows
from robustmeta.functional.recall import Memory, Recall
from robustmeta.functional.windows import Window


def found() -> float:
    return gap(Conv4(width=4), 28, 2)


def test_a_window_of_a_cell_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found() < 1e-12
    onward = windows.onward

    def short(window: Window, step: Any) -> Window:
        reached = onward(window, step)
        return replace(reached, length=max(1, reached.length - 1))

    monkeypatch.setattr(windows, "onward", short)
    assert found() > 1e-3


def test_what_lies_around_a_map_is_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window, "there", lambda window: torch.ones_like(window.cells(), dtype=torch.bool))
    assert found() > 1e-3


def test_a_change_that_is_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gap(Conv4(width=4), 28, 5) < 1e-12
    changed = home.changed
    monkeypatch.setattr(home, "changed", lambda differs: replace(changed(differs), length=1))
    assert gap(Conv4(width=4), 28, 5) > 1e-3


def test_maps_of_another_version_than_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = Recall.keep

    def mixed(recall: Recall, ids: Any) -> None:
        before = [(m, m.maps.clone()) for m in recall._memories.values() if not m.maps.isnan().any()]
        keep(recall, ids)
        memory: Memory
        for memory, maps in before:
            memory.maps.copy_(maps)

    monkeypatch.setattr(Recall, "keep", mixed)
    assert found() > 1e-3
