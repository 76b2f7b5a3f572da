"""The handwritten digits inside scikit-learn: real handwriting without a download."""

import hashlib
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from robustmeta.config.components import Source, component
from robustmeta.core import Card, Domain
from robustmeta.domains.cache import data_key
from robustmeta.rng import hash64

CARD = Card(
    "Optical recognition of handwritten digits",
    "E. Alpaydin and C. Kaynak, UCI Machine Learning Repository; test part, as inside scikit-learn",
    "CC BY 4.0",
)


@component("digits")
class Digits(Source):
    """1,797 digits by 13 writers, 8 x 8 pixels of 17 grays, enlarged to the canvas with Omniglot's margin."""

    split: Literal["all"] = "all"

    def digest(self) -> str:
        """A hash of the choices and the pixels."""
        return data_key(self, hashlib.sha256(_pixels()[0].tobytes()).hexdigest())

    def load(self, size: int, channels: int) -> Domain:
        """Ink is 255 on 0; no factors."""
        pixels, labels = _pixels()
        images = torch.from_numpy(np.stack([_enlarge(p, size) for p in pixels]))[:, None]
        ids = np.array([hash64("digits", i) for i in range(len(pixels))], np.uint64)
        classes = tuple(str(d) for d in range(10))
        return Domain(self.name, images.expand(-1, channels, -1, -1), torch.from_numpy(labels), classes, ids, {}, CARD)


def _pixels() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    flat, labels = load_digits(return_X_y=True)
    pixels = np.asarray(flat).reshape(-1, 8, 8) * (255 / 16)
    return pixels.round().astype(np.uint8), np.asarray(labels).astype(np.int64)


def _enlarge(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    margin = round(size / 14)
    inner = size - 2 * margin
    out = np.zeros((size, size), np.uint8)
    resized = Image.fromarray(pixels).resize((inner, inner), Image.Resampling.BICUBIC)
    out[margin : margin + inner, margin : margin + inner] = np.asarray(resized)
    return out
