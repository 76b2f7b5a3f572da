"""How every learner of a study is trained: how long, along which schedule, on which images."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from robustmeta.config.augmenting import Augmentations, augmentations, told
from robustmeta.config.components import Frozen, Schedule

KINDS = ("images", "steps", "gradient_passes", "seconds")


class Budget(Frozen):
    """What each learner may spend in training, the same for all: give one of the four.

    ``images`` that the sampler delivers; ``steps`` of training, whose images differ between learners;
    ``gradient_passes``, images sent backward through the backbone, those of an adversary among them (no more than that:
    a step counts as the dearest of its method does); ``seconds`` of training, validation not counted, whose numbers no
    second run repeats.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    images: int | None = Field(default=None, ge=1)
    steps: int | None = Field(default=None, ge=1)
    gradient_passes: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        given = [k for k in KINDS if getattr(self, k) is not None]
        if len(given) != 1:
            kinds = f"{', '.join(f'{k}:' for k in KINDS[:-1])} or {KINDS[-1]}:"
            text = f"give exactly one of {kinds}; got {' and '.join(given) or 'none'}"
            raise PydanticCustomError("budget", "{text}", {"text": text})
        return self

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if v is not None}

    @property
    def reproducible(self) -> bool:
        """Whether another run gives the same numbers."""
        return self.seconds is None

    def __str__(self) -> str:
        if self.seconds is not None:
            return f"{self.seconds:g} seconds of training"
        if self.gradient_passes is not None:
            return f"{self.gradient_passes:,} gradient passes"
        return f"{self.images:,} images from the sampler" if self.images else f"{self.steps:,} training steps"


class Training(Frozen):
    """How training goes, the same for every learner; the default is each method's own way.

    Attributes:
        schedule: how the rate falls; null = the method's own.
        warmup: the part of training over which the rate first rises along a line.
        clip: the largest norm of the whole gradient, which is shrunk to it; null = any.
        weight_decay: λ of θ ← θ − rate·λ·θ before each step (Loshchilov and Hutter 2019, Decoupled Weight Decay
            Regularization, algorithm 2), on all parameters.
        augment: transforms of torchvision.transforms.v2 in order, each a name or {name: {argument: value}}, on every
            training image by itself, as uint8.
        precision: bf16 sends images through the network in bfloat16, but for its normalisation; losses, updates of
            weights and all measurements stay in float32.
        early_stop: stop after so many checks in a row without a better one; null = never.
        save_every: steps from one checkpoint of a training that is under way to the next, so that a killed run goes on
            from it; null = a minute's worth. It changes no number.
    """

    schedule: Schedule | None = None
    warmup: float = Field(default=0.0, ge=0, lt=1)
    clip: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    augment: Annotated[Augmentations, BeforeValidator(augmentations)] = ()
    precision: Literal["float32", "bf16"] = "float32"
    early_stop: int | None = Field(default=None, ge=1)
    save_every: int | None = Field(default=None, ge=1)

    def identity(self) -> dict[str, Any]:
        """What changes numbers, for keys."""
        return self.model_dump(mode="json", exclude={"save_every"})

    @property
    def augmentation(self) -> str:
        """The augmentation for people."""
        return ", ".join(told(one) for one in self.augment) or "none"

    def __str__(self) -> str:
        changed = self.model_dump(mode="json", exclude_defaults=True, exclude={"save_every", "augment"})
        return ", ".join(f"{k} {v}" for k, v in changed.items()) or "each method's own way"
