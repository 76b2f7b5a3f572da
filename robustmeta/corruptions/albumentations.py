"""Any albumentations transform of images, as ``albumentations:Name``; a level is a mapping of its arguments."""

import os
import warnings
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from inspect import isclass, signature
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.core import Corruption
from robustmeta.registry import ComponentError, unknown
from robustmeta.rng import Rng

Pixels = NDArray[np.uint8]
_NOT = ("DualTransform", "ImageOnlyTransform", "Lambda")  # bases, and one whose arguments are functions
_GRAY = 128


@cache
def _library() -> ModuleType:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing it asks the network for its newest version
    try:
        import albumentations
    except ImportError as error:
        raise ComponentError(
            f"albumentations cannot be imported ({error}); pip install albumentations==2.0.8"
        ) from None
    return albumentations


@cache
def _transforms() -> dict[str, type]:
    """Transforms of an image by name."""
    library = _library()
    bases = (library.ImageOnlyTransform, library.DualTransform)
    found = {n: t for n, t in vars(library).items() if isclass(t) and issubclass(t, bases) and n not in _NOT}
    return {n: t for n, t in found.items() if not issubclass(t, library.Transform3D)}


@cache
def _origin() -> str:
    """The distribution that the module comes from, and a warning if it is another one of the same import name."""
    names = packages_distributions().get("albumentations", ["albumentations"])
    found = ", ".join(f"{n} {version(n)}" for n in sorted(set(names)))
    other = any(n.lower() != "albumentations" for n in names)
    return found + " (not the MIT-licensed albumentations: AlbumentationsX is AGPL-3.0 or commercial)" * other


@dataclass(frozen=True)
class Transform:
    """One transform, applied to every image (p = 1) with a generator seeded by the image's key.

    A gray image that the transform does not take is given to it as three equal channels, whose mean is the result.
    """

    name: str

    def __call__(self, x: Tensor, level: object, rng: Rng) -> Tensor:
        """Transform x (N, C, H, W); ``level`` holds arguments of the transform.

        Raises:
            ValueError: an argument that the transform does not know or take, or a result of another shape.
        """
        transform = self._build(level)
        images = x.mul(255).round_().byte().movedim(1, -1).numpy()
        colours = 3 if images.shape[-1] == 1 and not _takes(transform, images.shape[1:]) else 1
        out = np.empty(images.shape, np.float32)
        for i, seed in enumerate(rng.bits(1)[:, 0]):
            transform.set_random_seed(int(seed))
            given = np.ascontiguousarray(np.repeat(images[i], colours, -1))
            made = self._checked(_apply(transform, given), given)
            out[i] = made.mean(-1, keepdims=True) if colours == 3 else made
        return torch.from_numpy(out).movedim(-1, 1) / 255

    def _build(self, level: object) -> Any:
        kind = _transforms()[self.name]
        known = [n for n in signature(kind).parameters if n != "p"]
        if not isinstance(level, dict):
            raise ValueError(
                f"a level of {self.name} is a mapping of its arguments ({', '.join(known)}), not {level!r}"
            )
        for argument in level:
            if argument not in known:
                raise ValueError(unknown(argument, known, f"argument of {self.name}"))
        strict = {"strict": True} if "InitSchema" in vars(kind) else {}  # else it replaces what it cannot check
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice to use another transform
            return kind(**level, p=1.0, **strict)

    def _checked(self, made: Pixels, given: Pixels) -> Pixels:
        if made.dtype != np.uint8 or made.shape != given.shape:
            text = f"{self.name} returned {made.dtype} {made.shape}; a corruption keeps {given.dtype} {given.shape}"
            raise ValueError(text)
        return made


def _apply(transform: Any, image: Pixels) -> Pixels:
    """The transformed image; where the transform only warns that it does nothing, that is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return transform(image=image)["image"]


def _takes(transform: Any, shape: tuple[int, ...]) -> bool:
    """Whether it accepts images of that many channels; asked of a plain one, so that the answer is the same for all."""
    transform.set_random_seed(0)
    try:
        made = _apply(transform, np.full(shape, _GRAY, np.uint8))
    except Exception:  # what a transform raises for a channel too few is its own affair
        return False
    return made.shape[2:] == shape[2:]


def __getattr__(name: str) -> Corruption:
    """The corruption of a transform's name; it has no levels of its own.

    Raises:
        ComponentError: no transform of that name; the message suggests a near one.
    """
    if name.startswith("_"):
        raise AttributeError(name)
    if name not in _transforms():
        raise ComponentError(unknown(name, _transforms(), "albumentations transform"))
    import cv2

    source = f"{_origin()}, opencv {cv2.__version__}"  # what the pixels depend on
    label = f"albumentations:{name}"
    return Corruption(label, Transform(name), {}, "albumentations", 1, False, "", source, _origin(), __name__)
