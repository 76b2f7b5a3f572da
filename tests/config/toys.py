"""A plug-in file with one component of every kind, so that the tests of the configuration need no built-in ones."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from pydantic import Field

from robustmeta.config.components import Adaptation, Attack, Backbone, Component, Diet, Method, Source, component
from robustmeta.registry import register
from robustmeta.shifts.corruption import Corruption

T = TypeVar("T", bound=type[Component])


def toy(name: str, paper: str = "") -> Callable[[T], T]:
    """A component that has its choices and does nothing."""

    def wrap(cls: T) -> T:
        cls.__abstractmethods__ = frozenset()
        return component(name, paper=paper)(cls)

    return wrap


@toy("toy-domain")
class ToyDomain(Source):
    """A domain of nothing."""

    faces: tuple[str, ...] = ("sans",)
    split: str = "train"


@toy("toy-net")
class ToyNet(Backbone):
    """A network of nothing."""

    width: int = Field(32, ge=1)


@toy("toy-steps")
class ToySteps(Adaptation):
    """Steps of nothing."""

    steps: int = Field(5, ge=0)
    rate: float | Literal["auto"] = "auto"


@toy("toy-method", paper="Nobody 2020, arXiv:2001.00001")
class ToyMethod(Method):
    """Learns nothing.

    θ ← θ
    """

    family = "toy"
    train: Diet = Diet()
    order: Literal[1, 2] = 2

    def adaptation(self) -> Adaptation:
        return ToySteps()


@toy("toy-attack")
class ToyAttack(Attack):
    """Attacks nothing."""

    norm: Literal["linf", "l2"] = "linf"


def toy_noise(x: Any, level: object, rng: Any) -> Any:
    """Adds nothing."""
    return x


TOY_NOISE = Corruption(
    "toy-noise",
    toy_noise,
    {"32": (1, 2, 3, 4, 5), "64": (2, 3, 4, 5, 6)},
    "noise",
    paper="Nobody 2021",
    module=__name__,
)
register("corruptions", "toy-noise", TOY_NOISE)
