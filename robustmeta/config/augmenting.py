"""Augmentations of training images: names and arguments of torchvision's transforms, held against it at once."""

import inspect
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, LiteralString

import torch
from pydantic import ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError
from torch import Tensor

from robustmeta.config.components import Location
from robustmeta.registry import unknown
from robustmeta.rng import Rng

Augmentation = dict[str, dict[str, Any]]
"""{name: its arguments}"""

_WRITTEN = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": {"type": ["object", "null"]},
}
Augmentations = Annotated[
    tuple[Augmentation, ...],
    WithJsonSchema({"type": "array", "items": {"anyOf": [{"type": "string"}, _WRITTEN]}}),
]

PROBES = 16
"""Made images that every transform must give back in their shape."""


def augmentations(value: Any) -> tuple[Augmentation, ...]:
    """The entries of ``augment`` as they are kept, each built once.

    Raises:
        ValidationError: all that is wrong with them, each at its place.
    """
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("list_type", "expected a list of transforms, such as [RandomHorizontalFlip]")
    found: list[Augmentation] = []
    problems: list[InitErrorDetails] = []
    for i, entry in enumerate(value):
        name, arguments = _parts(entry)
        wrong = list(_problems(name, arguments, entry))
        problems += [InitErrorDetails(type=e, loc=(i, *place), input=entry) for place, e in wrong]
        found.append({name: arguments})
    if problems:
        raise ValidationError.from_exception_data("augment", problems)
    return tuple(found)


def _parts(entry: Any) -> tuple[str, Any]:
    if isinstance(entry, Mapping) and len(entry) == 1:
        ((name, arguments),) = entry.items()
        return str(name), {} if arguments is None else arguments
    return (entry if isinstance(entry, str) else "", {})


def _problems(name: str, arguments: Any, entry: Any) -> Iterator[tuple[Location, PydanticCustomError]]:
    known = transforms()
    if not name:
        yield (), _error(f"expected the name of a transform, or {{name: {{argument: value}}}}; got {entry!r}")
    elif name not in known:
        yield (), _error(unknown(name, list(known), "transform of torchvision.transforms.v2"))
    elif not isinstance(arguments, dict):
        yield (name,), _error(f"expected a mapping of the arguments of {name}; got {arguments!r}")
    else:
        allowed = [p for p in inspect.signature(known[name].__init__).parameters if p != "self"]
        strange = [a for a in arguments if a not in allowed]
        for argument in strange:
            yield (name, argument), _error(unknown(argument, allowed, f"argument of {name}"), "unknown_key")
        refused = "" if strange else _refusal(name, arguments)
        if refused:
            yield (name,), _error(f"{name} refuses its arguments: {refused}")


def _error(text: str, kind: LiteralString = "augment") -> PydanticCustomError:
    return PydanticCustomError(kind, "{text}", {"text": text})


def _refusal(name: str, arguments: dict[str, Any]) -> str:
    try:
        transforms()[name](**arguments)
    except Exception as error:  # what it raises for an argument is its own affair
        return str(error)
    return ""


def transforms() -> dict[str, Any]:
    """The transforms of torchvision.transforms.v2 by name."""
    from torchvision.transforms import v2

    found = {n: getattr(v2, n) for n in dir(v2)}
    return {n: t for n, t in found.items() if isinstance(t, type) and issubclass(t, v2.Transform) and t != v2.Transform}


def told(one: Augmentation) -> str:
    """One augmentation for people."""
    ((name, arguments),) = one.items()
    return f"{name}({', '.join(f'{k} {v}' for k, v in arguments.items())})" if arguments else name


@contextmanager
def drawing() -> Generator[None]:
    """Within it transforms are applied: torch's generator is theirs, and is as before afterwards."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # of where torchvision moves its own functions to, which no user of ours can act on
        warnings.filterwarnings("ignore", "The image decoding and encoding capabilities")
        yield


def unfit(one: Augmentation, size: int, channels: int) -> str:
    """Why images of that shape cannot be augmented like this, "" if they can: each must keep its shape and be uint8."""
    ((name, arguments),) = one.items()
    images = Rng(0, ("probe",), range(PROBES)).integers(0, 256, channels, size, size).to(torch.uint8)
    shape = f"uint8 {tuple(images[0].shape)}"
    transform = transforms()[name](**arguments)
    with drawing():
        for seed, image in enumerate(images):
            torch.default_generator.manual_seed(seed)
            try:
                made = transform(image)
            except Exception as error:
                return f"{name} cannot take images {shape}: {error}"
            if not isinstance(made, Tensor) or made.dtype != image.dtype or made.shape != image.shape:
                got = f"{made.dtype} {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
                return f"{name} must keep images {shape}; it makes {got.removeprefix('torch.')}"
    return ""
