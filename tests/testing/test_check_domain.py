from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from robustmeta.core import Card, Domain
from robustmeta.corruptions.samples import ink
from robustmeta.testing import check_domain


def domain() -> Domain:
    factors = {"face": np.array(["sans", "serif"] * 3)}
    ids = np.arange(6, dtype=np.uint64)
    labels = torch.arange(6) % 3
    return Domain("made", ink(6), labels, ("a", "b", "c"), ids, factors, Card("made", "here", "none"))


def test_a_good_domain_passes_every_check() -> None:
    found = check_domain(domain())
    assert all(f.passed for f in found), found
    assert [f.text for f in found][:3] == ["6 images of 1x28x28", "no empty image", "3 classes, each with images"]


FAULTS: dict[str, tuple[Callable[[Domain], dict[str, Any]], str]] = {
    "images": (lambda d: {"images": d.images[..., 1:]}, "square, got (6, 1, 28, 27)"),
    "content": (lambda d: {"images": torch.cat([d.images[:5], torch.zeros_like(d.images[:1])])}, "the first at row 5"),
    "labels": (lambda d: {"labels": d.labels + 1}, "labels lie in 1..3, but there are 3 classes"),
    "classes": (lambda d: {"classes": ("a", "b", "a")}, "two classes share a name: a"),
    "ids": (lambda d: {"ids": d.ids.astype(np.int64)}, "expected uint64 ids, got int64"),
    "factors": (lambda d: {"factors": {"face": np.array(["sans"])}}, "factor face has shape (1,); expected (6,)"),
    "card": (lambda d: {"card": Card("made", "here", "")}, "the card lacks licence"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_turns_its_own_check_red(name: str) -> None:
    change, text = FAULTS[name]
    red = [f for f in check_domain(replace(domain(), **change(domain()))) if not f.passed]
    assert [f.name for f in red] == [name]
    assert text in red[0].text


def test_a_class_without_images_is_named() -> None:
    red = [f for f in check_domain(replace(domain(), labels=torch.zeros(6, dtype=torch.int64))) if not f.passed]
    assert [f.text for f in red] == ["2 classes have no image, such as 'b'"]
