"""The abstract components of a study: frozen choices with a name, a version and, where they have one, a paper."""

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from robustmeta.registry import register, source_digest

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from robustmeta.core import Batch, Certified, Classifier, Domain, Head, StepStats, Tasks, TaskShape, Traits, Victim
    from robustmeta.rng import Rng

Location = tuple[int | str, ...]


def nested(errors: Iterable[Any], prefix: Location = ()) -> list[InitErrorDetails]:
    """The errors of a model that stands inside another, with their place in the outer one."""
    out: list[InitErrorDetails] = []
    for e in errors:
        kind = PydanticCustomError(e["type"], "{text}", {"text": e["msg"].removeprefix("Value error, ")})
        out.append(InitErrorDetails(type=kind, loc=(*prefix, *e["loc"]), input=e["input"]))
    return out


def wrong(loc: str | Location, kind: str, message: str, value: object) -> ValidationError:
    """An error at one place of a study."""
    error = PydanticCustomError(kind, "{text}", {"text": message})  # type: ignore[arg-type]
    place = (loc,) if isinstance(loc, str) else loc
    return ValidationError.from_exception_data("study", [InitErrorDetails(type=error, loc=place, input=value)])


def attempt(*steps: tuple[Location, Callable[[], Any]]) -> list[Any]:
    """The results of all steps; where some fail, one ValidationError with all their errors, each at its place."""
    results: list[Any] = []
    problems: list[InitErrorDetails] = []
    for place, step in steps:
        try:
            results.append(step())
        except ValidationError as error:
            problems += nested(error.errors(include_url=False), place)
    if problems:
        raise ValidationError.from_exception_data("study", problems)
    return results


class Frozen(BaseModel):
    """Immutable choices; an unknown key is an error that suggests a near one."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, value: Any, handler: Callable[[Any], Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            raise explained(error, cls.model_fields) from None


def explained(error: ValidationError, known: Iterable[str], kind: str = "extra_forbidden") -> ValidationError:
    """The same errors, where those of unknown keys suggest a known one."""
    known, details = list(known), []
    for e in error.errors(include_url=False):
        if e["type"] == kind and len(e["loc"]) == 1:
            near = difflib.get_close_matches(str(e["loc"][0]), known, 1, 0.6)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or 'none'}"
            e = {**e, "type": "unknown_key", "msg": f"unknown key; {hint}"}
        details.append(e)
    return ValidationError.from_exception_data(error.title, nested(details))


class Component(Frozen):
    """A component of a study. Its fields are its choices; none of them is a hidden state.

    ``identity()`` is what a cell's key is made of: name, version, fields without paths, and for a plug-in the hash of
    its source.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1
    paper: ClassVar[str] = ""

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.name, **handler(self)}

    def identity(self) -> dict[str, Any]:
        """The canonical description of this component (JSON types only), without paths and labels."""
        source = source_digest(type(self).__module__)
        fields = {k: v for k, v in self.model_dump(mode="json").items() if not self._is_path(k)}
        return {**fields, "version": self.version, **({"source": source} if source else {})}

    def _is_path(self, key: str) -> bool:
        return isinstance(getattr(self, key), Path)


C = TypeVar("C", bound="type[Component]")


def component(name: str, *, version: int = 1, paper: str = "") -> Callable[[C], C]:
    """Name a component class and register it under its kind."""

    def wrap(cls: C) -> C:
        cls.name, cls.version, cls.paper = name, version, paper
        register(cls.kind, name, cls)
        return cls

    return wrap


class Source(Component, ABC):
    """Where a domain comes from. A field ``split`` divides classes, never the images of one class."""

    kind: ClassVar[str] = "domains"

    @abstractmethod
    def digest(self) -> str:
        """The data key: a hash of the bytes the images are made from (and of what renders them); cheap."""

    @abstractmethod
    def load(self, size: int, channels: int) -> "Domain":
        """Images of size x size pixels and 1 or 3 channels. Raises DataError for missing or broken data."""


class Backbone(Component, ABC):
    """A network from images to features, built without a head."""

    kind: ClassVar[str] = "backbones"

    @abstractmethod
    def build(self, size: int, channels: int) -> "nn.Module":
        """A module (N, C, H, W) -> (N, D) with an int attribute ``features`` = D; weights from torch's RNG.

        Where its features are a flattened map, an attribute ``map`` gives the map's shape (C, h, w).
        """

    @abstractmethod
    def alone(self) -> bool:
        """Whether the features of an image depend on it alone, so that a whole domain can be embedded at once."""

    def blank(self) -> "Backbone":
        """The same network without weights to start from, for a caller that loads all of them."""
        return self


class Adaptation(Component, ABC):
    """What a trained network does with a support set. It never changes the network."""

    kind: ClassVar[str] = "adaptations"
    grid: ClassVar[dict[str, tuple[Any, ...]]] = {}
    """Fields tuned on source validation unless the study says otherwise, with the values tried."""

    @abstractmethod
    def adapt(self, net: "nn.Module", support_x: "Tensor", support_y: "Tensor", way: int, rng: "Rng") -> "Classifier":
        """Adapt to T tasks: support_x (T, S, C, H, W), support_y (T, S); ``rng`` has one key a task."""

    @abstractmethod
    def passes(self, shape: "TaskShape", tasks: int) -> int:
        """Images that adapting to that many tasks sends forward through the backbone."""

    def answer_passes(self, shape: "TaskShape") -> int:
        """Images that one call on all queries of a task sends forward; unless stated, each query once."""
        return shape.way * shape.query


class EmbeddingAdaptation(Adaptation, ABC):
    """An adaptation on fixed features, so that a whole domain is embedded once."""

    @abstractmethod
    def embed(self, net: "nn.Module", x: "Tensor") -> "Tensor":
        """(N, C, H, W) -> (N, D)."""

    @abstractmethod
    def fit(self, net: "nn.Module", z: "Tensor", y: "Tensor", way: int, rng: "Rng") -> "Head":
        """A head for T tasks from support features (T, S, D) and labels (T, S); ``rng`` has one key a task."""

    @abstractmethod
    def classifier(self, net: "nn.Module", head: "Head") -> "Classifier":
        """The head on the features of an image that depend on it alone."""


Schedule = Literal["cosine", "linear", "step", "constant"]
"""How the outer rate falls over training."""


Apart = Literal["always", "without batch statistics", "never"]


class Method(Component, ABC):
    """How a learner is trained."""

    kind: ClassVar[str] = "methods"
    family: ClassVar[str] = ""
    schedule: ClassVar[Schedule] = "cosine"
    apart: ClassVar[Apart] = "never"
    """Whether a step's gradient is the mean over its tasks of what each gives by itself, so that processes can share
    it."""
    traits: ClassVar["Traits"]

    @abstractmethod
    def diet(self) -> "Diet":
        """What one training step eats."""

    @abstractmethod
    def build(self, backbone: Backbone, size: int, channels: int, classes: int) -> "nn.Module":
        """The network to train, for a source domain of that many classes."""

    @abstractmethod
    def optimiser(self, net: "nn.Module") -> "torch.optim.Optimizer":
        """The outer optimiser at its highest rate, which the training loop lowers along the schedule."""

    @abstractmethod
    def backward(self, net: "nn.Module", batch: "Tasks | Batch", rng: "Rng", progress: float = 0.0) -> "StepStats":
        """Fill ``.grad`` of the network from one step's batch.

        ``rng`` has one key: the step; ``progress`` in [0, 1) is how much of training is over.
        """

    @abstractmethod
    def passes(self) -> int:
        """Images that one training step sends forward through the backbone."""

    def gradient_passes(self) -> int:
        """How many of these passes it goes through backward, each as often as it does; unless stated, each once."""
        return self.passes()

    @abstractmethod
    def adaptation(self) -> Adaptation:
        """How the trained network meets a new task unless the study says otherwise; also used for model selection."""


class Diet(Frozen):
    """What a training step eats: ``tasks`` episodes of a shape, or, with ``batch`` set, that many plain images."""

    way: int = 5
    shot: int = 5
    query: int = 5
    tasks: int = 4
    batch: int = 0

    @property
    def images(self) -> int:
        """Images that the sampler delivers for a step."""
        return self.batch or self.tasks * self.way * (self.shot + self.query)


class Attack(Component, ABC):
    """A search for a worse query within a ball around it, through the adapted classifier."""

    kind: ClassVar[str] = "attacks"
    largest: ClassVar[float] = math.inf
    """The largest eps that means something."""

    @abstractmethod
    def perturb(self, classifier: "Classifier", x: "Tensor", y: "Tensor", eps: float, rng: "Rng") -> "Tensor":
        """Perturb x (T, Q, C, H, W), y (T, Q): the same shape, within eps and [0, 1]; rng.keys are (T, Q).

        The classifier may be another one than that which is measured then.
        """

    @abstractmethod
    def passes(self, way: int) -> int:
        """Forward passes that it makes for each query image of a task of ``way`` classes, at most.

        Raises:
            StudyError: it needs more classes.
        """

    def notes(self, way: int) -> tuple[str, ...]:
        """What a reader must know of it wherever a number of a task of ``way`` classes appears."""
        return ()


class SupportAttack(Component, ABC):
    """A search for a worse support set, through the adaptation to it, by the loss on seed queries no one measures.

    Attributes:
        largest: the largest eps that means something.
        relabels: whether it changes labels, and no pixel; eps is then a share of them. It asks through the victim's
            ``hold`` alone, so that an adaptation that reads features embeds each image once.
        sees: how it sees the learner adapt: 2 with the whole gradient, 1 with its first order, 0 without a gradient.
    """

    kind: ClassVar[str] = "support_attacks"
    largest: ClassVar[float] = math.inf
    relabels: ClassVar[bool] = False

    @property
    def sees(self) -> int:
        """See above."""
        return 0

    @abstractmethod
    def perturb(
        self,
        victim: "Victim",
        support: "tuple[Tensor, Tensor]",
        seed: "tuple[Tensor, Tensor]",
        eps: float,
        rng: "Rng",
    ) -> "tuple[Tensor, Tensor]":
        """The worse support of T tasks: images (T, S, C, H, W) in [0, 1] and labels (T, S), as ``support`` gives them.

        ``seed``: images (T, R, C, H, W) and labels (T, R) of the same classes; rng.keys are (T, S). No task may depend
        on another.
        """

    @abstractmethod
    def runs(self, support: int, seed: int, way: int, eps: float) -> tuple[int, int]:
        """How often, at most, it lets a task's learner adapt, and how many queries it then asks a task in all.

        ``support`` and ``seed``: images of a task.
        """

    def notes(self) -> tuple[str, ...]:
        """What a reader must know of it wherever a number appears."""
        return ()


class Certificate(Component, ABC):
    """A proof, up to a stated confidence, that nothing within a radius changes the answer to a query."""

    kind: ClassVar[str] = "certificates"

    @abstractmethod
    def certify(self, classifier: "Classifier", x: "Tensor", sigma: float, rng: "Rng") -> "Certified":
        """Answers to x (T, Q, C, H, W) and radii in L2 under noise of standard deviation sigma; rng.keys are (T, Q)."""

    @abstractmethod
    def noisy(self, x: "Tensor", sigma: float, rng: "Rng") -> "Tensor":
        """What the classifier is asked instead of x, once; the same shape."""

    @abstractmethod
    def passes(self) -> int:
        """Forward passes for each query image."""

    @abstractmethod
    def largest(self, sigma: float) -> float:
        """The largest radius that it can find."""

    @abstractmethod
    def confidence(self) -> float:
        """The probability with which the radius of a query holds, at least."""
