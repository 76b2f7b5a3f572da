"""Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings each."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from robustmeta.config.components import Frozen, Source, component
from robustmeta.core import Card, DataError, Domain
from robustmeta.domains.cache import data_key
from robustmeta.domains.files import Tree, open_tree
from robustmeta.registry import unknown
from robustmeta.rng import hash64

PAPER = 'Lake, Salakhutdinov and Tenenbaum 2015, "Human-level concept learning through probabilistic program induction"'
CARD = Card("Omniglot", "github.com/brendenlake/omniglot", "MIT", PAPER)

VAL = ("Armenian", "Burmese_(Myanmar)", "N_Ko", "Syriac_(Estrangelo)", "Tagalog")
TEST = ("Balinese", "Hebrew", "Korean", "Mkhedruli_(Georgian)", "Tifinagh")
EVALUATION = (
    *("Angelic", "Atemayar_Qelisayer", "Atlantean", "Aurek-Besh", "Avesta", "Ge_ez", "Glagolitic", "Gurmukhi"),
    *("Kannada", "Keble", "Malayalam", "Manipuri", "Mongolian", "Old_Church_Slavonic_(Cyrillic)", "Oriya"),
    *("Sylheti", "Syriac_(Serto)", "Tengwar", "Tibetan", "ULOG"),
)
"""The published evaluation set of 20 alphabets."""


class Characters(Frozen):
    """How many characters are held out, drawn from all alphabets; published are 100 and 423 of 1,623."""

    val: int = Field(ge=0)
    test: int = Field(ge=1)


@component("omniglot", paper=PAPER)
class Omniglot(Source):
    """Characters as classes, split by alphabet or at random, from the tree that torchvision unpacks or a zip of it.

    ``val`` and ``test`` name the alphabets held out; the rest is for training. By default five of the published
    background set each, and the published evaluation set is for testing too; those that are not there are left out.
    ``characters`` holds out so many characters instead, the same in every study: an easier split, which most published
    figures are of (Vinyals et al. 2016, section 4.1.1), for training has letters of every alphabet of testing.
    ``rotations`` makes four classes of each character, turned by 0, 90, 180 and 270 degrees.
    """

    path: Path = Path("omniglot-py")
    split: Literal["all", "train", "val", "test"] = "all"
    val: tuple[str, ...] | None = None
    test: tuple[str, ...] | None = None
    rotations: bool = False
    characters: Characters | None = None

    @model_validator(mode="after")
    def _apart(self) -> "Omniglot":
        if self.characters and (self.val is not None or self.test is not None):
            raise ValueError("characters draws what is held out from all alphabets; expected no val and test beside it")
        both = sorted(set(self.val or VAL) & set(self.test or (*TEST, *EVALUATION)))
        if both:
            raise ValueError(f"{', '.join(both)} cannot be in both val and test; name both lists of alphabets")
        return self

    def digest(self) -> str:
        """A hash of the choices and of the chosen images' names and bytes."""
        tree = open_tree(self.path)
        return data_key(self, tree.digest(self._chosen(tree)))

    def load(self, size: int, channels: int) -> Domain:
        """Ink is 255 on 0. Factors: alphabet, writer, rotation. Raises DataError for missing or broken data."""
        tree = open_tree(self.path)
        names = self._chosen(tree)
        images = 255 - torch.from_numpy(tree.decode(names, size, 1))
        degrees = (0, 90, 180, 270) if self.rotations else (0,)
        images = torch.cat([torch.rot90(images, d // 90, (2, 3)) for d in degrees])
        drawn = [(*name.split("/"), d) for d in degrees for name in names]
        of = [f"{a}/{c}/rot{d:03}" if self.rotations else f"{a}/{c}" for a, c, _, d in drawn]
        classes = tuple(sorted(set(of)))
        index = {c: i for i, c in enumerate(classes)}
        return Domain(
            self.name,
            images.expand(-1, channels, -1, -1),
            torch.tensor([index[c] for c in of]),
            classes,
            np.array([hash64("omniglot", a, c, i, d) for a, c, i, d in drawn], np.uint64),
            {
                "alphabet": np.array([a for a, *_ in drawn]),
                "writer": np.array([f"{a}/{Path(i).stem.rpartition('_')[2]}" for a, _, i, _ in drawn]),
                "rotation": np.array([str(d) for *_, d in drawn]),
            },
            CARD,
        )

    def _chosen(self, tree: Tree) -> list[str]:
        folders = {name.rpartition("/")[0] for name in tree.members}
        held = self.characters
        val, test = self._drawn(tree, folders, held) if held else self._by_alphabet(tree, folders)
        parts = {"all": folders, "train": folders - val - test, "val": val, "test": test}
        chosen = [name for name in tree.members if name.rpartition("/")[0] in parts[self.split]]
        if not chosen and held:
            raise DataError(f"{tree.root}: characters: holds out none for split {self.split}; set {self.split}: there")
        if not chosen:
            there = ", ".join(sorted({folder.partition("/")[0] for folder in folders}))
            raise DataError(f"{tree.root}: no alphabet of split {self.split} among {there}; set val: and test:")
        return sorted(chosen)

    def _by_alphabet(self, tree: Tree, folders: set[str]) -> tuple[set[str], set[str]]:
        """The characters of the alphabets that are held out."""
        there = sorted({folder.partition("/")[0] for folder in folders})
        for alphabet in (*(self.val or ()), *(self.test or ())):
            if alphabet not in there:
                raise DataError(f"{tree.root}: {unknown(alphabet, there, 'alphabet')}")
        val = VAL if self.val is None else self.val
        test = (*TEST, *EVALUATION) if self.test is None else self.test
        first, second = ({f for f in folders if f.partition("/")[0] in names} for names in (val, test))
        return first, second

    def _drawn(self, tree: Tree, folders: set[str], held: Characters) -> tuple[set[str], set[str]]:
        """The characters that are held out, by an order that depends on nothing but their names."""
        if (count := held.val + held.test) >= len(folders):
            raise DataError(
                f"{tree.root} has {len(folders)} characters: expected characters: to hold out fewer; got {count}"
            )
        order = sorted(folders, key=lambda folder: hash64("omniglot", "character", folder))
        return set(order[held.test : count]), set(order[: held.test])
