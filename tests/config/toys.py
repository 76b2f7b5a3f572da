"""A plug-in file with one component of every kind, so that the tests of the configuration need no built-in ones."""

from typing import Any, Literal

from pydantic import Field

from robustmeta.config.components import Adaptation, Attack, Backbone, Diet, Method, Source, component
from robustmeta.core import Corruption
from robustmeta.registry import register


@component("toy-domain")
class ToyDomain(Source):
    """A domain of nothing."""

    faces: tuple[str, ...] = ("sans",)
    split: str = "train"

    def digest(self) -> str:
        return ""

    def load(self, size: int, channels: int) -> Any: ...


@component("toy-net")
class ToyNet(Backbone):
    """A network of nothing."""

    width: int = Field(32, ge=1)

    def build(self, size: int, channels: int) -> Any: ...


@component("toy-steps")
class ToySteps(Adaptation):
    """Steps of nothing."""

    steps: int = Field(5, ge=0)
    rate: float | Literal["auto"] = "auto"

    def adapt(self, net: Any, support_x: Any, support_y: Any, way: int, rng: Any) -> Any: ...

    def passes(self, shape: Any, tasks: int) -> int:
        return 0


@component("toy-method", paper="Nobody 2020, arXiv:2001.00001")
class ToyMethod(Method):
    """Learns nothing.

    θ ← θ
    """

    family = "toy"
    train: Diet = Diet()
    order: Literal[1, 2] = 2

    def diet(self) -> Diet:
        return self.train

    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> Any: ...

    def optimiser(self, net: Any, steps: int) -> Any: ...

    def backward(self, net: Any, batch: Any, rng: Any) -> Any: ...

    def passes(self) -> int:
        return 0

    def adaptation(self) -> Adaptation:
        return ToySteps()


@component("toy-attack")
class ToyAttack(Attack):
    """Attacks nothing."""

    norm: Literal["linf", "l2"] = "linf"

    def perturb(self, classifier: Any, x: Any, y: Any, eps: float, rng: Any) -> Any:
        return x

    def passes(self) -> int:
        return 1


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
