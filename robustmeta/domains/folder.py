"""Images of your own, laid out as ``domain/class/image``: PACS, OfficeHome, DomainNet and the like."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BeforeValidator, Field

from robustmeta.config.components import Source, component
from robustmeta.core import Card, DataError, Domain
from robustmeta.domains.cache import data_key
from robustmeta.domains.files import Tree, open_tree
from robustmeta.registry import unknown
from robustmeta.rng import hash64


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


@component("folder")
class Folder(Source):
    """One or several domains of a tree ``domain/class/image``, a folder or a zip.

    ``split`` divides the classes found in the whole tree, so that no class stands on both sides in two domains: in the
    order of a hash of their names a fifth (rounded, at least one) is test, the next fifth val, the rest train.
    """

    path: Path
    domain: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(min_length=1)
    split: Literal["all", "train", "val", "test"] = "all"

    def digest(self) -> str:
        """A hash of the choices and of the chosen images' names and bytes."""
        tree = open_tree(self.path)
        return data_key(self, tree.digest(self._chosen(tree)))

    def load(self, size: int, channels: int) -> Domain:
        """The centre square of each image, gray or RGB. Factor: domain. Raises DataError for missing or broken data."""
        tree = open_tree(self.path)
        names = self._chosen(tree)
        images = torch.from_numpy(tree.decode(names, size, channels))
        domains, of, _ = zip(*(name.split("/") for name in names), strict=True)
        classes = tuple(sorted(set(of)))
        labels = torch.tensor([classes.index(c) for c in of])
        ids = np.array([hash64("folder", name) for name in names], np.uint64)
        card = Card(f"{', '.join(self.domain)} in {tree.root.name}", "a folder of yours", "as you hold it")
        return Domain(self.name, images, labels, classes, ids, {"domain": np.array(domains)}, card)

    def _chosen(self, tree: Tree) -> list[str]:
        there = sorted({name.partition("/")[0] for name in tree.members})
        for domain in self.domain:
            if domain not in there:
                raise DataError(f"{tree.root}: {unknown(domain, there, 'domain')}")
        classes = sorted({name.split("/")[1] for name in tree.members}, key=lambda c: (hash64("folder split", c), c))
        fifth = max(1, round(len(classes) / 5))
        parts = {
            "all": classes,
            "test": classes[:fifth],
            "val": classes[fifth : 2 * fifth],
            "train": classes[2 * fifth :],
        }
        wanted = set(parts[self.split])
        chosen = [n for n in tree.members if n.split("/")[0] in self.domain and n.split("/")[1] in wanted]
        if not chosen:
            where = f"split {self.split} of {', '.join(self.domain)}"
            raise DataError(f"{tree.root}: no images in {where}; the tree has {len(classes)} classes")
        return sorted(chosen)
