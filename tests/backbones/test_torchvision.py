"""torchvision's networks: their own features, fitted to any canvas; weights that are known and never fetched."""

import pickle
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import backbone_references as references
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from robustmeta.backbones import torchvision as adapter
from robustmeta.backbones.fitted import choose_statistics
from robustmeta.backbones.torchvision import Torchvision
from robustmeta.core import DataError, StudyError
from robustmeta.nets import Network

SMALL = "shufflenet_v2_x0_5"


@pytest.mark.parametrize(("name", "head"), [("resnet18", "fc"), (SMALL, "fc"), ("mobilenet_v3_small", "classifier.3")])
def test_features_are_torchvisions_own(name: str, head: str, tmp_path: Path) -> None:
    assert references.torchvision_gap(name, head, tmp_path / "weights.pt") < 1e-5


def saved(folder: Path, name: str = SMALL, suffix: str = ".pt") -> tuple[Path, nn.Module]:
    net, path = references.own_model(name), folder / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(net.state_dict(), path)
    else:
        torch.save(net.state_dict(), path)
    return path, net


def test_gray_images_are_repeated_resized_and_normalised_inside(tmp_path: Path) -> None:
    path, own = saved(tmp_path)
    x = torch.rand(2, 1, 28, 28)
    got = Network(Torchvision(model=SMALL, weights_file=path, input_size=64).build(28, 1))(x)
    large = F.interpolate(x, (64, 64), mode="bilinear").repeat(1, 3, 1, 1)
    expected = references.without_head(own, "fc")((large - references.MEAN) / references.DEVIATION)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-3)


def test_shrinking_filters_what_it_cannot_show() -> None:
    assert references.stripes_left() < 0.2


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_is_known_by_its_content(suffix: str, tmp_path: Path) -> None:
    path, _ = saved(tmp_path, suffix=suffix)
    twin = tmp_path / f"twin{suffix}"
    twin.write_bytes(path.read_bytes())
    one, two = (Torchvision(model=SMALL, weights_file=p) for p in (path, twin))
    assert one.identity() == two.identity()
    assert one.identity()["weights_sha256"] == sha256(path.read_bytes()).hexdigest()
    assert str(tmp_path) not in str(one.identity())
    with torch.no_grad():
        assert torch.equal(one.build(28, 1)(torch.ones(1, 1, 28, 28)), two.build(28, 1)(torch.ones(1, 1, 28, 28)))
    twin.write_bytes(twin.read_bytes() + b" ")
    assert Torchvision(model=SMALL, weights_file=twin).identity() != one.identity()
    with pytest.raises(DataError, match="has changed since the study was read"):
        two.build(28, 1)


def test_a_stored_network_is_rebuilt_without_the_file(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    backbone = Torchvision(model=SMALL, weights_file=path)
    trained = Network(backbone.build(28, 1), 3)
    path.unlink()
    fields = {k: v for k, v in backbone.identity().items() if k not in ("name", "version")}
    known = Torchvision.model_validate(fields)
    with pytest.raises(DataError, match="give their weights_file"):
        known.build(28, 1)
    net = Network(known.blank().build(28, 1), 3)
    net.load_state_dict(trained.state_dict())
    assert torch.equal(net(torch.ones(1, 1, 28, 28)), trained(torch.ones(1, 1, 28, 28)))


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("pwned"),)


def test_a_file_that_holds_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": _Hostile()}, "zip.pt")
    Path("plain.pt").write_bytes(pickle.dumps(_Hostile(), protocol=2))
    for name in ("zip.pt", "plain.pt"):
        with pytest.raises(DataError, match="holds more than tensors"):
            Torchvision(model=SMALL, weights_file=Path(name)).build(28, 1)
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.pt", b"", "not a readable PyTorch file"),
        ("w.safetensors", b"not one", "not a readable safetensors file"),
        ("w.pt", {"state_dict": {"fc.weight": torch.zeros(1)}}, "expected a mapping of names to tensors, got state_d"),
        ("w.pt", {"conv1.0.weight": torch.zeros(1)}, "the weights are not those of this model"),
    ],
)
def test_a_wrong_file_is_refused(name: str, content: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(DataError, match=message):
        Torchvision(model=SMALL, weights_file=path).build(28, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "resnet19"}, "unknown torchvision model 'resnet19'; did you mean resnet18?"),
        ({"model": "googlenet"}, "unknown torchvision model 'googlenet'"),
        ({"model": "resnet18", "weights": "IMAGENET"}, "unknown set of weights of resnet18 'IMAGENET'; did you mean"),
        ({"model": "resnet18", "weights_file": "no.pt"}, "no such file of weights"),
        ({"model": "resnet18", "weights": "DEFAULT", "weights_file": "no.pt"}, "not both"),
        ({"model": "resnet18", "weights_sha256": "12"}, "String should match pattern"),
    ],
)
def test_wrong_choices(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Torchvision.model_validate(fields)
    assert message in str(error.value)


def test_another_file_than_the_one_meant_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    with pytest.raises(ValidationError, match=r"its sha256 is [0-9a-f]{64}, expected 0000"):
        Torchvision(model=SMALL, weights_file=path, weights_sha256="0" * 64)


def test_sizes_that_do_not_fit_say_what_to_change() -> None:
    with pytest.raises(StudyError, match=r"alexnet does not take images of 28 pixels .*; set input_size"):
        Torchvision(model="alexnet").build(28, 1)
    with pytest.raises(StudyError, match="squeezenet1_0 does not end in a linear layer"):
        Torchvision(model="squeezenet1_0").build(64, 3)


def test_layers_that_normalise_in_a_way_of_their_own_are_refused() -> None:
    class Own(nn.BatchNorm2d):
        pass

    with pytest.raises(StudyError, match="has layers Own, whose statistics cannot be chosen"):
        choose_statistics(nn.Sequential(Own(2)), "auto")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))

    def fetch(*args: object, **kwargs: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def test_published_weights_are_not_fetched(cache: Path) -> None:
    backbone = Torchvision(model="resnet18", weights="DEFAULT")
    assert backbone.weights == "IMAGENET1K_V1"  # what DEFAULT means today is in the identity
    with pytest.raises(DataError) as error:
        backbone.build(28, 1)
    assert str(cache / "resnet18-f37072fd.pth") in str(error.value)
    assert f"curl --create-dirs -o {cache}/resnet18-f37072fd.pth https://" in str(error.value)
    (cache / "resnet18-f37072fd.pth").write_bytes(b"half of it")
    with pytest.raises(DataError, match="the file is damaged: its sha256 does not begin with f37072fd"):
        backbone.build(28, 1)
    assert backbone.blank().build(28, 1)


def test_published_weights_are_taken_from_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = references.own_model(SMALL)
    file = cache / adapter._models().get_model_weights(SMALL)["DEFAULT"].url.rpartition("/")[2]
    torch.save(own.state_dict(), file)
    named = cache / f"{SMALL}-{sha256(file.read_bytes()).hexdigest()[:8]}.pth"
    named.write_bytes(file.read_bytes())
    stated = SimpleNamespace(mean=[0.1, 0.2, 0.3], std=[0.5, 0.5, 0.5])
    published = SimpleNamespace(url=f"https://example.org/{named.name}", transforms=lambda: stated)
    monkeypatch.setattr(Torchvision, "_published", lambda self: published)
    x = torch.rand(2, 3, 48, 48)
    got = Network(Torchvision(model=SMALL, weights="DEFAULT").build(48, 3))(x)
    expected = references.without_head(own, "fc")((x - torch.tensor(stated.mean)[:, None, None]) / 0.5)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-3)
