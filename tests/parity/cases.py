"""One row a corruption of ImageNet-C: what we claim of each of its tables, and how our draws become the peer's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Label = Literal["exact", "injected-exact", "distributional", "none"]
Draws = Callable[[list[Array], Any], list[Any]]


@dataclass(frozen=True)
class Case:
    """A row.

    Attributes:
        draws: (the draws of one image as our kernel asked for them, level) -> the peer's, in the order of its calls.
            None: neither of the two draws anything.
        small: table -> the published levels in the peer's notation, where its law is the law of that table too. A
            table that is missing here has a law of its own: no program of it can be run, and its label is "none".
        repeats: table -> draws an image in the comparison of distributions (1), so many that the interval is about a
            third as wide as the margins: then equal programs hardly ever fail.
    """

    draws: Draws | None = None
    small: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    repeats: Mapping[str, int] = field(default_factory=dict)

    def label(self, table: str) -> Label:
        """What the corruption must say of the table: as much as is shown, and no more."""
        if table not in ("224", *self.small):
            return "none"
        return "exact" if self.draws is None else "injected-exact"


def as_hwc(given: list[Array], level: Any) -> list[Any]:
    """The same numbers, channels last."""
    return [np.moveaxis(d, 0, -1) for d in given]


def plasma_steps(given: list[Array], level: Any) -> list[Any]:
    """Displacements of the coarsest step first; within a step squares, horizontal and vertical edges."""
    (u,), steps, n = given, [], 1
    while 3 * n * n <= len(u):
        steps += list(u[n * n - 1 : 4 * n * n - 1].reshape(3, n, n))
        n *= 2
    return steps


def as_they_are(given: list[Array], level: Any) -> list[Any]:
    """The same numbers."""
    return list(given)


def in_order(given: list[Array], level: Any) -> list[Any]:
    """Every number on its own."""
    return [number for d in given for number in d.ravel()]


def pairs(given: list[Array], level: Any) -> list[Any]:
    """The numbers two by two."""
    return [pair for d in given for pair in d.reshape(-1, 2)]


CASES: dict[str, Case] = {
    "gaussian_noise": Case(as_hwc, {"64": (0.04, 0.08, 0.12, 0.15, 0.18), "32": (0.04, 0.06, 0.08, 0.09, 0.10)}),
    "shot_noise": Case(as_hwc, {"64": (250, 100, 50, 30, 15), "32": (500, 250, 100, 75, 50)}),
    "impulse_noise": Case(
        as_hwc, {"64": (0.01, 0.02, 0.05, 0.08, 0.14), "32": (0.01, 0.02, 0.03, 0.05, 0.07)}, {"64": 5, "32": 12}
    ),
    "defocus_blur": Case(
        small={
            "64": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
            "32": ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        }
    ),
    "glass_blur": Case(
        pairs,
        {
            "64": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
            "32": ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        },
        repeats={"64": 2, "32": 6},
    ),
    "motion_blur": Case(in_order, repeats={"224": 4}),
    "zoom_blur": Case(
        small={
            table: tuple(np.arange(1, stop, 0.01) for stop in (1.06, 1.11, 1.16, 1.21, 1.26)) for table in ("64", "32")
        }
    ),
    "snow": Case(as_they_are),
    "frost": Case(in_order, repeats={"224": 44}),
    "fog": Case(
        plasma_steps,
        {
            "64": ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
            "32": ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        },
        repeats={"64": 22, "32": 28, "224": 20},
    ),
    "brightness": Case(small={"64": (0.1, 0.2, 0.3, 0.4, 0.5), "32": (0.05, 0.1, 0.15, 0.2, 0.3)}),
    "contrast": Case(small={"64": (0.4, 0.3, 0.2, 0.1, 0.05), "32": (0.75, 0.5, 0.4, 0.3, 0.15)}),
    "elastic_transform": Case(as_they_are),
    "pixelate": Case(small={"64": (0.9, 0.8, 0.7, 0.6, 0.5), "32": (0.95, 0.9, 0.85, 0.75, 0.65)}),
    "jpeg_compression": Case(small={"64": (65, 58, 50, 40, 25), "32": (80, 65, 58, 50, 40)}),
    "speckle_noise": Case(as_hwc, {"64": (0.15, 0.2, 0.25, 0.3, 0.35), "32": (0.06, 0.1, 0.12, 0.16, 0.2)}),
    "gaussian_blur": Case(small={"64": (0.5, 0.75, 1, 1.25, 1.5), "32": (0.4, 0.6, 0.7, 0.8, 1)}),
    "spatter": Case(
        as_they_are,
        {
            "64": (
                (0.62, 0.1, 0.7, 0.7, 0.6, 0),
                (0.65, 0.1, 0.8, 0.7, 0.6, 0),
                (0.65, 0.3, 1, 0.69, 0.6, 0),
                (0.65, 0.1, 0.7, 0.68, 0.6, 1),
                (0.65, 0.1, 0.5, 0.67, 0.6, 1),
            ),
            "32": (
                (0.62, 0.1, 0.7, 0.7, 0.5, 0),
                (0.65, 0.1, 0.8, 0.7, 0.5, 0),
                (0.65, 0.3, 1, 0.69, 0.5, 0),
                (0.65, 0.1, 0.7, 0.69, 0.6, 1),
                (0.65, 0.1, 0.5, 0.68, 0.6, 1),
            ),
        },
        repeats={"64": 18, "32": 54, "224": 34},
    ),
    "saturate": Case(
        small={
            "64": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
            "32": ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        }
    ),
}
