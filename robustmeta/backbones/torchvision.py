"""The classification networks of torchvision."""

from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from pydantic import model_validator
from torch import nn

from robustmeta.backbones.fitted import IMAGENET, Body
from robustmeta.backbones.pretrained import Pretrained
from robustmeta.config.components import component
from robustmeta.core import DataError, StudyError
from robustmeta.registry import unknown

SEVERAL_HEADS = ("googlenet", "inception_v3")


@component("torchvision")
class Torchvision(Pretrained):
    """A classification network of torchvision by its name there, up to its last linear layer.

    Published ``weights`` are named as there, such as ``IMAGENET1K_V1``, and are never downloaded. Images are normalised
    inside by mean and deviation of the weights, which are ImageNet's where none are named; gray ones are repeated.
    """

    library: ClassVar[str] = "torchvision"

    @model_validator(mode="after")
    def _exists(self) -> Self:
        names = [name for name in _models().list_models(_models()) if name not in SEVERAL_HEADS]
        if self.model not in names:
            raise ValueError(unknown(self.model, names, "torchvision model"))
        known = _models().get_model_weights(self.model).__members__
        if self.weights and self.weights not in known:
            raise ValueError(unknown(self.weights, known, f"set of weights of {self.model}"))
        if self.weights:  # DEFAULT is another set in another version
            object.__setattr__(self, "weights", known[self.weights].name)
        return self

    def body(self) -> Body:
        """The network without its last linear layer."""
        if self.weights:
            self._check_cache()  # so that the next line does not download
        net = _models().get_model(self.model, weights=self.weights or None)
        linear = [name for name, layer in net.named_modules() if isinstance(layer, nn.Linear)]
        if not linear:
            raise StudyError(f"torchvision {self.model} does not end in a linear layer; choose another model")
        net.set_submodule(linear[-1], nn.Identity())
        transform: Any = self._published().transforms() if self.weights else None
        mean, deviation = (transform.mean, transform.std) if transform else IMAGENET
        return Body(net, (linear[-1],), mean, deviation)

    def _check_cache(self) -> None:
        url = self._published().url
        path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
        if not path.is_file():
            raise DataError(
                f"{path}: the weights {self.weights} of {self.model} are not in torch's cache and are not fetched "
                f"unasked; fetch them by: curl --create-dirs -o {path} {url}"
            )
        start = path.stem.rpartition("-")[2]  # of its sha256, by which torchvision names its files
        if not sha256(path.read_bytes()).hexdigest().startswith(start):
            raise DataError(f"{path}: the file is damaged: its sha256 does not begin with {start}; fetch it again")

    def _published(self) -> Any:
        return _models().get_model_weights(self.model)[self.weights]


def _models() -> Any:
    from torchvision import models  # takes a second

    return models
