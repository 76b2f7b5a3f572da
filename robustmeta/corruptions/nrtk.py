"""Any image perturber of the Natural Robustness Toolkit, as ``nrtk:Name``; a level is a mapping of its arguments.

NRTK is an extra (``pip install robustmeta[nrtk]``). The perturbers of ``nrtk_levels.py`` have five levels of ours; for
the others a study gives ``levels:``.
"""

import os
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from typing import Any

from torch import Tensor

from robustmeta.config.arguments import check_arguments
from robustmeta.corruptions.nrtk_levels import LEVELS
from robustmeta.corruptions.per_image import Pixels, arguments, each
from robustmeta.registry import ComponentError, unknown
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.sources import INSTALL, library, named, owner

_NOT = ("ComposePerturber",)  # its arguments are perturbers
_OURS = ("seed", "is_static")  # set here
_BESIDE = ("opencv-python-headless", "opencv-python", "pillow", "scikit-image")  # what else the pixels depend on


@cache
def _perturbers() -> dict[str, type]:
    """NRTK's own perturbers of one image by name; those whose extra is not installed are missing."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing albumentations asks the network
    try:
        base = import_module("nrtk.interfaces").PerturbImage
    except ImportError as error:
        raise ComponentError(f"nrtk cannot be imported ({error}); pip install '{INSTALL['nrtk']}'") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that it looks for
        found = base.get_impls()
    return {t.__name__: t for t in found if t.__module__.startswith("nrtk.") and t.__name__ not in _NOT}


@dataclass(frozen=True)
class Perturber:
    """One perturber, built anew for every image where it takes a seed, which is the image's key.

    A gray image is given to it without an axis of channels, or, if it does not take that, as three equal channels,
    whose mean is the result.
    """

    name: str

    def __call__(self, x: Tensor, level: object, rng: Rng) -> Tensor:
        """Perturb x (N, C, H, W); ``level`` holds arguments of the perturber.

        Raises:
            ValueError: an argument that the perturber does not know or take, or a result of another shape.
        """
        given = arguments(self.name, level, self._known)
        fixed = None if "seed" in signature(self._kind).parameters else self._build(given)

        def program(image: Pixels, seed: int) -> Any:
            perturb = self._build({**given, "seed": seed}) if fixed is None else fixed
            gray = image.shape[2] == 1
            made, _ = perturb(image=image[..., 0] if gray else image)
            return made[..., None] if gray else made

        return each(x, rng, program, self.name)

    def check(self, level: object) -> None:
        """Raise a ValidationError of a level that it would not take."""
        check_arguments(self.name, level, self._known, self._build)

    @property
    def _kind(self) -> type:
        return _perturbers()[self.name]

    @property
    def _known(self) -> list[str]:
        return [n for n in signature(self._kind).parameters if n not in _OURS]

    def _build(self, given: dict[str, Any]) -> Any:
        return self._kind(**given)


def _source() -> str:
    """What the pixels depend on."""
    found = owner("nrtk")
    parts = [named(found) if found else library("nrtk")]
    for name in _BESIDE:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(parts)


def __getattr__(name: str) -> Corruption:
    """The corruption of a perturber's name, with levels where the table has it.

    Raises:
        ComponentError: NRTK is not installed, or has no perturber of that name; the message suggests a near one.
    """
    if name.startswith("_"):
        raise AttributeError(name)
    if name not in _perturbers():
        raise ComponentError(unknown(name, _perturbers(), "nrtk perturber"))
    tables = {"levels": LEVELS[name]} if name in LEVELS else {}
    laws = dict.fromkeys(tables, "nrtk, at strengths of ours")
    facts = (name in LEVELS, "", _source(), library("nrtk"), __name__)
    made = Perturber(name)
    return Corruption(f"nrtk:{name}", made, tables, "nrtk", 1, *facts, laws=laws, check=made.check)
