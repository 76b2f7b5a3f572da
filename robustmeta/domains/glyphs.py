"""Characters of many scripts, drawn from fonts with a hand's variation: an Omniglot that needs no download."""

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from robustmeta.config.components import Source, component
from robustmeta.core import Card, DataError, Domain
from robustmeta.domains.cache import cached, data_key
from robustmeta.domains.fonts import BOX, FIELD, SPLITS, characters, coverage, fonts_digest, shapes
from robustmeta.functional.warp import affine, cosine_field, ink, warp
from robustmeta.rng import Rng, hash64

CARD = Card(
    "Glyphs",
    "rendered from the DejaVu and STIX fonts in matplotlib",
    "Bitstream Vera and Arev terms (DejaVu), STIX Font License (STIX); the fonts are used, not passed on",
)
_CHUNK = 512


@component("glyphs")
class Glyphs(Source):
    """Characters as classes, split by script once for all faces: val Cyrillic; test Greek, Armenian, Georgian, Coptic.

    With several faces the drawings of a class take them in turn, and classes are the characters that all of them have.
    A drawing has the same id, and the same hand, in every face.
    """

    faces: tuple[Literal["sans", "serif", "mono", "bold", "oblique", "stix"], ...] = Field(("sans",), min_length=1)
    scripts: tuple[str, ...] = ()
    split: Literal["all", "train", "val", "test"] = "all"
    drawings: int = Field(20, ge=1, le=1000)
    seed: int = 0

    @model_validator(mode="after")
    def _consistent(self) -> "Glyphs":
        if len(set(self.faces)) < len(self.faces):
            raise ValueError(f"a face stands twice: {', '.join(self.faces)}")
        known = [s for split, scripts in SPLITS.items() if self.split in ("all", split) for s in scripts]
        wrong = [s for s in self.scripts if s not in known]
        if wrong:
            raise ValueError(f"no script {', '.join(wrong)} in split {self.split}; it has {', '.join(known)}")
        return self

    def digest(self) -> str:
        """A hash of the choices, the fonts and the rasteriser."""
        return data_key(self, fonts_digest())

    def load(self, size: int, channels: int) -> Domain:
        """Ink is 255 on 0. Factors: face, script. Raises DataError if the faces share no character of the split."""
        codes = self.codes()
        classes = tuple(f"{characters()[c]}/U+{c:04X}" for c in codes)
        ids = np.array([hash64("glyphs", self.seed, c, k) for c in classes for k in range(self.drawings)], np.uint64)
        images = cached("glyphs", f"{self.digest()} {size}", lambda: self._draw(codes, ids, size))
        faces = np.array([self.faces[k % len(self.faces)] for k in range(self.drawings)])
        scripts = np.array([c.partition("/")[0] for c in classes])
        return Domain(
            self.name,
            torch.from_numpy(images).expand(-1, channels, -1, -1),
            torch.arange(len(codes)).repeat_interleave(self.drawings),
            classes,
            ids,
            {"face": np.tile(faces, len(codes)), "script": np.repeat(scripts, self.drawings)},
            CARD,
        )

    def codes(self) -> list[int]:
        """The code points of the classes."""
        chosen = self.scripts or [
            s for split, scripts in SPLITS.items() if self.split in ("all", split) for s in scripts
        ]
        shared = frozenset[int].intersection(*map(coverage, self.faces))
        codes = [c for c, script in characters().items() if script in chosen and c in shared]
        if not codes:
            raise DataError(f"{' and '.join(self.faces)} share no character of {', '.join(chosen)}; choose other faces")
        return codes

    def _draw(self, codes: list[int], ids: NDArray[np.uint64], size: int) -> NDArray[np.uint8]:
        fields = torch.stack([shapes(face, codes) for face in self.faces])
        out = torch.empty(len(ids), 1, size, size, dtype=torch.uint8)
        rng = Rng(self.seed, ("glyphs",), ids)
        for start in range(0, len(ids), _CHUNK):
            rows = torch.arange(start, min(start + _CHUNK, len(ids)))
            drawing = fields[rows % self.drawings % len(self.faces), rows // self.drawings]
            out[rows] = handwrite(drawing[:, None], size, rng.at(rows.numpy())).mul_(255).round_().to(torch.uint8)
        return out.numpy()


def handwrite(fields: torch.Tensor, size: int, rng: Rng) -> torch.Tensor:
    """Ink (N, 1, size, size) in [0, 1] of distance fields (N, 1, FIELD, FIELD), each drawn by a hand of its own.

    A hand turns, scales, slants and moves the character, bends it by a smooth random field, and presses more or less
    along its strokes. The same key draws the same shape at every size.
    """
    factor = max(1, math.ceil(28 / size))  # below 28 pixels strokes are thinner than a pixel
    fine = size * factor
    scale = (rng.normal() * 0.10).clamp(-0.25, 0.25).exp()
    aspect = (rng.normal() * 0.08).clamp(-0.2, 0.2).exp()
    angle = (rng.normal() * 0.10).clamp(-0.3, 0.3)
    theta = affine(angle, torch.stack([scale * aspect, scale / aspect], -1), rng.normal() * 0.12, rng.normal(2) * 0.05)
    order = torch.arange(5.0)
    decay = (1 + order[:, None] ** 2 + order**2) ** -0.75
    decay[0, 0] = 0  # a shift is the affine map's part
    bend = cosine_field(rng.normal(2, 5, 5) * decay * 0.07, fine)
    pressure = (rng.normal(1, 1, 1) * 0.5 - 0.2 + cosine_field(rng.normal(1, 3, 3) * 0.25, fine)).clamp(-1, 3)
    distance = warp(fields, theta, bend, pad=-float(BOX)) + pressure
    return ink(distance, scale * (fine / FIELD), factor)
