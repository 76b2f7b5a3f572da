"""Any albumentations transform of images, as ``albumentations:Name``; a level is a mapping of its arguments.

The transforms of ``albumentations_levels.py`` have five levels of ours; for the others a study gives ``levels:``. The
library is albumentations up to 2.0.8 or its maintained fork nrtk-albumentations, which share an import name; what the
fork draws may differ, so the distribution is part of a corruption's identity.
"""

import os
import warnings
from dataclasses import dataclass
from functools import cache
from inspect import isclass, signature
from types import ModuleType
from typing import Any

from torch import Tensor

from robustmeta.config.arguments import check_arguments
from robustmeta.corruptions.albumentations_levels import LEVELS
from robustmeta.corruptions.per_image import Pixels, arguments, each
from robustmeta.registry import ComponentError, unknown
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.sources import INSTALL, library, named, owner

_NOT = ("DualTransform", "ImageOnlyTransform", "Lambda")  # bases, and one whose arguments are functions


@cache
def _library() -> ModuleType:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing it asks the network for its newest version
    try:
        import albumentations
    except ImportError as error:
        text = f"albumentations cannot be imported ({error}); pip install {INSTALL['albumentations']}"
        raise ComponentError(text) from None
    return albumentations


@cache
def _transforms() -> dict[str, type]:
    """Transforms of an image by name."""
    library = _library()
    bases = (library.ImageOnlyTransform, library.DualTransform)
    found = {n: t for n, t in vars(library).items() if isclass(t) and issubclass(t, bases) and n not in _NOT}
    return {n: t for n, t in found.items() if not issubclass(t, library.Transform3D)}


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
        transform = self._build(arguments(self.name, level, self._known))

        def program(image: Pixels, seed: int) -> Any:
            transform.set_random_seed(seed)
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # it only warns where it does nothing
                return transform(image=image)["image"]

        return each(x, rng, program, self.name)

    def check(self, level: object) -> None:
        """Raise a ValidationError of a level that it would not take."""
        check_arguments(self.name, level, self._known, self._build)

    @property
    def _known(self) -> list[str]:
        return [n for n in signature(_transforms()[self.name]).parameters if n != "p"]

    def _build(self, given: dict[str, Any]) -> Any:
        kind = _transforms()[self.name]
        strict = {"strict": True} if "InitSchema" in vars(kind) else {}  # else it replaces what it cannot check
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice to use another transform
            return kind(**given, p=1.0, **strict)


def __getattr__(name: str) -> Corruption:
    """The corruption of a transform's name, with levels where the table has it.

    Raises:
        ComponentError: no transform of that name; the message suggests a near one.
    """
    if name.startswith("_"):
        raise AttributeError(name)
    if name not in _transforms():
        raise ComponentError(unknown(name, _transforms(), "albumentations transform"))
    import cv2

    found, origin = owner("albumentations"), library("albumentations")
    source = f"{named(found) if found else origin}, opencv {cv2.__version__}"  # what the pixels depend on
    tables = {"levels": LEVELS[name]} if name in LEVELS else {}
    laws = dict.fromkeys(tables, "albumentations, at strengths of ours")
    facts = (name in LEVELS, "", source, origin, __name__)
    made = Transform(name)
    return Corruption(f"albumentations:{name}", made, tables, "albumentations", 1, *facts, laws=laws, check=made.check)
