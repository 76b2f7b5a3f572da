"""The networks of timm (PyTorch Image Models), an extra: ``pip install 'robustmeta[timm]'``."""

from collections import OrderedDict
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import model_validator
from torch import nn

from robustmeta.backbones.fitted import IMAGENET, Body
from robustmeta.backbones.pretrained import Pretrained
from robustmeta.backbones.weights import fill
from robustmeta.config.components import component
from robustmeta.core import DataError, StudyError
from robustmeta.registry import unknown
from robustmeta.sources import INSTALL

FILES = ("model.safetensors", "pytorch_model.bin")


@component("timm")
class Timm(Pretrained):
    """A network of timm by its name there, without its classifier.

    Published ``weights`` are named by their tag there, such as ``a1_in1k``, looked for in the cache of huggingface_hub
    and never downloaded. Images are normalised inside as timm states for the model; gray ones are repeated.
    """

    library: ClassVar[str] = "timm"

    @model_validator(mode="after")
    def _exists(self) -> Self:
        timm = _imported("timm")
        if not timm.is_model(self.model):
            raise ValueError(unknown(self.model, timm.list_models(), "timm model"))
        tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{self.model}.*")]
        if self.weights and self.weights not in tags:
            raise ValueError(unknown(self.weights, tags, f"set of weights of {self.model}"))
        return self

    def body(self) -> Body:
        """The network without its classifier."""
        name = f"{self.model}.{self.weights}" if self.weights else self.model
        net: nn.Module = _imported("timm").create_model(name, pretrained=False, num_classes=0)
        facts: Any = net.pretrained_cfg
        heads = facts.get("classifier") or ()
        head = (heads,) if isinstance(heads, str) else tuple(heads)
        if self.weights:
            fill(net, _cached(name, str(facts["hf_hub_id"])), head)
        return Body(net, head, facts.get("mean", IMAGENET[0]), facts.get("std", IMAGENET[1]))

    def take_apart(self, net: nn.Module) -> None:
        """Layers that normalise, drop and activate at once become three."""
        joint = [(name, m) for name, m in net.named_modules() if type(m).__name__ == "BatchNormAct2d"]
        for name, layer in joint:
            given: Any = layer
            norm = nn.BatchNorm2d(given.num_features, eps=given.eps)
            norm.load_state_dict({k: v for k, v in given.state_dict().items() if k in norm.state_dict()})
            net.set_submodule(name, nn.Sequential(OrderedDict(norm=norm, drop=given.drop, act=given.act)))


def _cached(name: str, repository: str) -> Path:
    find = _imported("huggingface_hub").try_to_load_from_cache
    found = [path for file in FILES if isinstance(path := find(repository, file), str)]
    if not found:
        raise DataError(
            f"{name}: the file {FILES[0]} of {repository} is not in the cache of huggingface_hub and is not fetched "
            f"unasked; fetch it by: hf download {repository} {FILES[0]}"
        )
    return Path(found[0])


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise StudyError(f"{module} cannot be imported ({error}): pip install '{INSTALL['timm']}'") from None
