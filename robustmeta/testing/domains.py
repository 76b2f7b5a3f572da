"""Checks of a domain."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from robustmeta.core import Domain
from robustmeta.testing.finding import Finding, Wrong, examine


def check_domain(domain: Domain) -> list[Finding]:
    """Check what every loaded domain must keep to. If its images cannot be used at all, that is the only finding."""
    return examine(domain, CHECKS)


def _images(domain: Domain) -> str:
    n, channels, height, width = domain.images.shape
    if n == 0 or channels not in (1, 3) or height != width:
        raise Wrong(f"expected images of 1 or 3 channels, square, got {tuple(domain.images.shape)}")
    return f"{n} images of {channels}x{height}x{width}"


def _content(domain: Domain) -> str:
    flat = domain.images.flatten(1)
    empty = (flat == flat[:, :1]).all(1)
    if empty.any():
        raise Wrong(
            f"{int(empty.sum())} images have one value in all pixels, the first at row {int(empty.int().argmax())}"
        )
    return "no empty image"


def _labels(domain: Domain) -> str:
    if domain.labels.dtype != torch.int64:
        raise Wrong(f"expected int64 labels, got {domain.labels.dtype}")
    low, high, classes = int(domain.labels.min()), int(domain.labels.max()), len(domain.classes)
    if low < 0 or high >= classes:
        raise Wrong(f"labels lie in {low}..{high}, but there are {classes} classes")
    missing = sorted(set(range(classes)) - set(domain.labels.unique().tolist()))
    if missing:
        raise Wrong(f"{len(missing)} classes have no image, such as {domain.classes[missing[0]]!r}")
    return f"{classes} classes, each with images"


def _classes(domain: Domain) -> str:
    twice = sorted({c for c in domain.classes if domain.classes.count(c) > 1})
    if twice:
        raise Wrong(f"two classes share a name: {', '.join(twice)}")
    return "names differ"


def _ids(domain: Domain) -> str:
    if domain.ids.dtype != np.uint64:
        raise Wrong(f"expected uint64 ids, got {domain.ids.dtype}")
    return "uint64, all different"


def _factors(domain: Domain) -> str:
    for name, values in domain.factors.items():
        if values.shape != (len(domain.ids),):
            raise Wrong(f"factor {name} has shape {values.shape}; expected ({len(domain.ids)},)")
        if values.dtype.kind != "U":
            raise Wrong(f"factor {name} is {values.dtype}; expected text")
    return ", ".join(f"{name}: {len(np.unique(values))}" for name, values in domain.factors.items()) or "none"


def _card(domain: Domain) -> str:
    empty = [name for name in ("title", "origin", "licence") if not getattr(domain.card, name)]
    if empty:
        raise Wrong(f"the card lacks {', '.join(empty)}")
    return f"{domain.card.title}, {domain.card.licence}"


CHECKS: Mapping[str, Callable[[Domain], str]] = {
    "images": _images,
    "content": _content,
    "labels": _labels,
    "classes": _classes,
    "ids": _ids,
    "factors": _factors,
    "card": _card,
}
"""Every check by name; each returns what it measured or raises."""
