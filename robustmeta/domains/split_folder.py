"""Images laid out as ``split/class/image``: miniImageNet, CIFAR-FS, CUB and the like, with published splits."""

from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from robustmeta.config.components import Source, component
from robustmeta.core import Card, DataError, Domain
from robustmeta.domains.cache import data_key
from robustmeta.domains.files import Tree, open_tree
from robustmeta.registry import unknown
from robustmeta.rng import hash64


@component("split_folder")
class SplitFolder(Source):
    """The classes of one split of a tree ``split/class/image``, a folder or a zip.

    ``split`` names the folder, such as train, val or test. No class may stand in two splits.
    """

    path: Path
    split: str = Field("train", min_length=1)

    def digest(self) -> str:
        """A hash of the choices and of the split's names and bytes."""
        tree = open_tree(self.path)
        return data_key(self, tree.digest(self._chosen(tree)))

    def load(self, size: int, channels: int) -> Domain:
        """The centre square of each image, gray or RGB. Raises DataError for missing or broken data."""
        tree = open_tree(self.path)
        names = self._chosen(tree)
        images = torch.from_numpy(tree.decode(names, size, channels))
        of = [name.split("/")[1] for name in names]
        classes = tuple(sorted(set(of)))
        labels = torch.tensor([classes.index(c) for c in of])
        ids = np.array([hash64("split_folder", name) for name in names], np.uint64)
        card = Card(f"{self.split} of {tree.root.name}", "a folder of yours", "as you hold it")
        return Domain(self.name, images, labels, classes, ids, {"split": np.array([self.split] * len(names))}, card)

    def _chosen(self, tree: Tree) -> list[str]:
        splits: dict[str, str] = {}
        for name in tree.members:
            split, of, _ = name.split("/")
            if splits.setdefault(of, split) != split:
                raise DataError(f"{tree.root}: class {of} stands in {splits[of]} and in {split}; keep it in one split")
        there = sorted(set(splits.values()))
        if self.split not in there:
            raise DataError(f"{tree.root}: {unknown(self.split, there, 'split')}")
        return sorted(name for name in tree.members if name.startswith(f"{self.split}/"))
