"""The adapter of timm on a stand-in for it; ``tests/parity/test_timm.py`` runs it on timm itself."""

import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from robustmeta.backbones.timm import Timm
from robustmeta.core import DataError
from robustmeta.nets import Network, Norm
from robustmeta.sources import INSTALL


class BatchNormAct2d(nn.BatchNorm2d):
    """A layer of timm that normalises, then activates."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3)
        self.drop, self.act = nn.Identity(), nn.ReLU()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.act(self.drop(super().forward(input)))


class Tiny(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv, self.bn, self.drop = nn.Conv2d(3, 4, 3), BatchNormAct2d(4), nn.Dropout(0.5)
        self.fc = nn.Linear(4, classes) if classes else nn.Identity()
        self.pretrained_cfg = {
            "hf_hub_id": "example/tiny",
            "classifier": "fc",
            "mean": (0.1, 0.2, 0.3),
            "std": (0.5, 0.25, 0.125),
        }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.drop(self.bn(self.conv(x)).mean((2, 3))))


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in for the cache keeps the weights of ``tiny.v1``."""

    def create(name: str, pretrained: bool, num_classes: int) -> Tiny:
        assert (name.partition(".")[0], pretrained) == ("tiny", False)
        return Tiny(num_classes)

    timm = SimpleNamespace(
        is_model=lambda name: name == "tiny",
        list_models=lambda: ["tiny"],
        list_pretrained=lambda pattern: ["tiny.v1"] if pattern == "tiny.*" else [],
        create_model=create,
    )
    path = tmp_path / "model.safetensors"

    def find(repository: str, file: str) -> Any:
        return str(path) if (repository, file) == ("example/tiny", path.name) and path.exists() else None

    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(try_to_load_from_cache=find))
    return path


def whole() -> Tiny:
    net = Tiny(7)
    nn.init.normal_(net.bn.running_mean)
    nn.init.uniform_(net.bn.running_var, 0.5, 2)
    return net.eval()


@pytest.mark.parametrize("origin", ["cache", "file"])
def test_features_are_its_own(stored: Path, origin: str) -> None:
    net, x = whole(), torch.rand(2, 3, 16, 16)
    save_file(net.state_dict(), stored)
    fields = {"weights": "v1"} if origin == "cache" else {"weights_file": stored}
    ours = Network(Timm(model="tiny", **fields).build(16, 3)).train()  # type: ignore[arg-type]
    assert [type(m) for m in ours.norms.values()] == [Norm]
    mean, deviation = (torch.tensor(net.pretrained_cfg[k])[:, None, None] for k in ("mean", "std"))
    net.fc = nn.Identity()
    torch.testing.assert_close(ours(x), net((x - mean) / deviation), atol=1e-5, rtol=1e-5)


def test_weights_are_not_fetched(stored: Path) -> None:
    with pytest.raises(DataError) as error:
        Timm(model="tiny", weights="v1").build(16, 3)
    assert str(error.value).startswith("tiny.v1: the file model.safetensors of example/tiny is not in the cache")
    assert str(error.value).endswith("hf download example/tiny model.safetensors")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "tin"}, "unknown timm model 'tin'; did you mean tiny?"),
        ({"model": "tiny", "weights": "v2"}, "unknown set of weights of tiny 'v2'; known: v1"),
    ],
)
@pytest.mark.usefixtures("stored")
def test_wrong_names(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Timm.model_validate(fields)
    assert message in str(error.value)


def test_without_it_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValidationError, match=r"timm cannot be imported .*: pip install 'robustmeta\[timm\]'"):
        Timm(model="resnet18")


def test_the_extra_of_the_message_is_one_that_the_package_has() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert INSTALL["timm"] == "robustmeta[timm]"
    assert project["optional-dependencies"]["timm"][0].startswith("timm>=")
