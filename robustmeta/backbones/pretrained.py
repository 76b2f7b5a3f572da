"""What backbones share that come from libraries of networks: the canvas is fitted to them inside."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from robustmeta.backbones.fitted import Body, Fitted, choose_statistics, make_plain
from robustmeta.backbones.norms import looks_at_one_image
from robustmeta.backbones.weights import digest, fill
from robustmeta.config.components import Backbone
from robustmeta.core import DataError, StudyError
from robustmeta.nets import Mode


class Pretrained(Backbone, ABC):
    """A network of a library with its head cut off. It never looks for weights on the network."""

    library: ClassVar[str]

    model: str = Field(description="its name in the library, such as resnet18")
    weights: str = Field(
        default="", description="name of published weights, which must be in the library's cache; none: random"
    )
    weights_file: Path | None = Field(
        default=None, description="a state dict of yours, .safetensors or from torch.save; a head in it is left out"
    )
    weights_sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="what that file must have; filled in where it is not given",
    )
    input_size: int = Field(default=0, ge=0, description="pixels to which images are resized inside; 0: as they are")
    norm: Mode = Field(default="auto", description="whose statistics batch normalisation uses for a query, as in conv4")

    @abstractmethod
    def body(self) -> Body:
        """The network with the named ``weights``, or with random ones from torch's global RNG.

        Raises:
            DataError: the named weights are not on this machine; the message says how to get them.
        """

    def take_apart(self, net: nn.Module) -> None:
        """Make several layers of such as do several things at once; none do by default."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if self.weights and self.weights_file:
            raise ValueError("give weights: or weights_file:, not both")
        return self

    @model_validator(mode="after")
    def _known_content(self) -> Self:
        if self.weights_file:
            found = digest(self.weights_file)
            if self.weights_sha256 not in ("", found):
                raise ValueError(f"{self.weights_file}: its sha256 is {found}, expected {self.weights_sha256}")
            object.__setattr__(self, "weights_sha256", found)
        return self

    def blank(self) -> Backbone:
        """The same network without weights to start from."""
        return self.model_copy(update={"weights": "", "weights_file": None, "weights_sha256": ""})

    def build(self, size: int, channels: int) -> nn.Module:
        """(N, 1 or 3, size, size) in [0, 1] -> (N, features); draws from torch's global RNG.

        Raises:
            StudyError: the network does not take images of that size, or its output is no row of features.
            DataError: the weights are not there, or not those of this network.
        """
        body = self.body()
        if self.weights_sha256:
            fill(body.net, self._file(), body.head)
        self.take_apart(body.net)
        make_plain(body.net)
        choose_statistics(body.net, self.norm)
        net = Fitted(body, self.input_size)
        net.features = self._features(net, size, channels)
        return net

    def alone(self) -> bool:
        """True unless ``norm`` looks at the other images of a task."""
        return looks_at_one_image(self.norm)

    def _file(self) -> Path:
        if not self.weights_file:
            raise DataError(f"{self.model}: weights of sha256 {self.weights_sha256} are meant; give their weights_file")
        if digest(self.weights_file) != self.weights_sha256:
            raise DataError(f"{self.weights_file}: the file has changed since the study was read")
        return self.weights_file

    def _features(self, net: nn.Module, size: int, channels: int) -> int:
        try:
            with torch.no_grad():
                row = net(torch.zeros(1, channels, size, size))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise StudyError(
                f"{self.library} {self.model} does not take images of {self.input_size or size} pixels "
                f"({str(error).splitlines()[0]}); set input_size to what it takes, such as 224"
            ) from None
        if not isinstance(row, Tensor) or row.ndim != 2:
            raise StudyError(f"{self.library} {self.model} does not end in one row of features; choose another model")
        return row.shape[1]
