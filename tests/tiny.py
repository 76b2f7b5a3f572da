"""A study of toy size on made images, for tests of the machinery."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from robustmeta.config.components import Source, component
from robustmeta.config.study import Study
from robustmeta.core import Card, Domain
from robustmeta.rng import Rng, hash64

SIDE = 16


@component("toy")
class Toy(Source):
    """Classes are blobs of random 4 x 4 patterns, blown up; drawings add noise. ``style`` inverts some patterns."""

    split: str = "train"
    classes: int = 12
    images: int = 14
    style: int = 0
    file: Path | None = None

    def digest(self) -> str:
        """A file's bytes, if there is one."""
        return self.file.read_text() if self.file else "made"

    def load(self, size: int, channels: int) -> Domain:
        """Draw it."""
        names = tuple(f"{self.split}-{i}" for i in range(self.classes))
        keys = np.array([hash64(n) for n in names], np.uint64)
        patterns = Rng(self.style, ("pattern",), keys).uniform(channels, 4, 4).repeat_interleave(self.images, 0)
        ids = np.array([hash64(n, j) for n in names for j in range(self.images)], np.uint64)
        noisy = (patterns + 0.25 * Rng(0, ("drawing",), ids).normal(channels, 4, 4)).clamp(0, 1)
        pixels = torch.nn.functional.interpolate(noisy, (size, size), mode="nearest")
        labels = torch.arange(self.classes).repeat_interleave(self.images)
        return Domain("toy", (pixels * 255).byte(), labels, names, ids, {}, Card("toy", "made here", "none"))


def document(**changes: Any) -> dict[str, Any]:
    """The tiny study as a YAML file would give it, with some of its keys replaced."""
    return {
        "name": "tiny",
        "seeds": [0],
        "threads": 1,
        "images": {"size": SIDE, "channels": 1},
        "sources": [{"name": "toy", "split": "train"}],
        "targets": [{"label": "new", "name": "toy", "split": "test"}],
        "validation": {"way": 3, "shot": 2, "query": 3, "episodes": 4, "checks": 2},
        "evaluation": {"way": 3, "shot": 2, "query": 3, "episodes": 12},
        "backbone": {"name": "conv4", "width": 4},
        "budget": {"images": 600},
        "learners": [
            {"name": "maml", "train": {"way": 3, "shot": 2, "query": 3, "tasks": 4}, "adapt": {"steps": 2}},
            {"name": "protonet", "train": {"way": 4, "shot": 2, "query": 3, "tasks": 2}},
        ],
        "baselines": [{"name": "supervised", "train": {"batch": 32}}],
        "shifts": [
            {"corruption": "gaussian_noise", "severity": [1, 5]},
            {"corruption": "contrast", "severity": [3], "place": "support"},
            {"attack": "pgd", "eps": [0.1], "steps": 2, "episodes": 5},
        ],
    } | changes


def study(**changes: Any) -> Study:
    """The tiny study."""
    return Study.model_validate(document(**changes))
