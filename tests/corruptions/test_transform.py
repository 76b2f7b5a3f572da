import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.datasets import FakeData
from torchvision.transforms import v2

import robustmeta as rm
from robustmeta.core import to_bytes, to_float
from robustmeta.corruptions.apply import content_ids
from robustmeta.corruptions.samples import scenes
from robustmeta.registry import ComponentError

COUNT = 6
X = scenes(2, 40)[:, :, :, :32]
NOISE = rm.Corrupt("gaussian_noise", severity=3, seed=4)


def loaded(transform: Any, **options: Any) -> Tensor:
    """All images of a data set of random pictures, in the order of the loader."""
    data = FakeData(COUNT, (3, 32, 32), transform=transform)
    return torch.cat([images for images, _ in DataLoader(data, batch_size=4, **options)])


def test_it_is_corrupt_keyed_by_the_pixels() -> None:
    want = rm.corrupt(X, "gaussian_noise", 3, seed=4, ids=content_ids(X))
    assert torch.equal(NOISE(X), want)
    assert all(torch.equal(NOISE(image), one) for image, one in zip(X, want, strict=True))
    assert not torch.equal(rm.Corrupt("gaussian_noise", 3)(X), want)


def test_the_draw_of_an_image_is_the_same_in_every_form() -> None:
    made = NOISE(X[0])
    picture = Image.fromarray(X[0].movedim(0, -1).numpy())
    assert (np.asarray(NOISE(picture)) == made.movedim(0, -1).numpy()).all()
    image = NOISE(tv_tensors.Image(X[0]))
    assert isinstance(image, tv_tensors.Image)
    assert torch.equal(image.as_subclass(Tensor), made)
    exact = NOISE(to_float(X[0]))
    assert exact.dtype == torch.float32
    assert torch.equal(to_bytes(exact), made)


def test_different_images_have_different_draws() -> None:
    made = to_float(X) * 0.1 + 0.4
    noise = NOISE(made) - made
    assert (noise[0] - noise[1]).std() > 0.1


def test_only_the_images_of_a_sample_are_corrupted() -> None:
    mask = tv_tensors.Mask(torch.ones(40, 32, dtype=torch.uint8))
    boxes = tv_tensors.BoundingBoxes([[0, 0, 5, 5]], format="XYXY", canvas_size=(40, 32))  # type: ignore[call-overload]
    sample = {"image": tv_tensors.Image(X[0]), "mask": mask, "boxes": boxes, "y": torch.tensor(3)}
    made = NOISE(sample)
    assert torch.equal(made["image"], NOISE(X[0]))
    assert all(made[key] is sample[key] for key in ("mask", "boxes", "y"))
    image, label = NOISE(X[0], 3)
    assert torch.equal(image, NOISE(X[0]))
    assert label == 3


def test_in_a_composition() -> None:
    made = v2.Compose([v2.ToImage(), NOISE, v2.ToDtype(torch.float32, scale=True)])(X[0].movedim(0, -1).numpy())
    torch.testing.assert_close(made.as_subclass(Tensor), to_float(NOISE(X[0])))
    assert repr(NOISE) == "Corrupt(gaussian_noise 3, table=auto, seed=4)"
    chain = rm.Corrupt([("defocus_blur", 2), ("contrast", 1)], table="64")
    assert repr(chain) == "Corrupt(defocus_blur 2, contrast 1, table=64, seed=0)"
    want = rm.corrupt(X, [("defocus_blur", 2), ("contrast", 1)], table="64")
    assert torch.equal(chain(X), want)


@pytest.mark.parametrize("sample", [X[0].numpy(), tv_tensors.Video(X), (3, "label")], ids=["array", "video", "none"])
def test_a_sample_without_an_image_is_no_silent_success(sample: object) -> None:
    with pytest.raises(TypeError, match="found no image"):
        NOISE(sample)


def test_what_is_wrong_is_said_when_it_is_made() -> None:
    with pytest.raises(ComponentError, match="did you mean contrast"):
        rm.Corrupt("contrats", 3)
    with pytest.raises(ComponentError, match="severities 1 to 5; got 9"):
        rm.Corrupt("contrast", 9)
    with pytest.raises(ValueError, match="before they are normalised"):
        NOISE(to_float(X) - 0.5)


@pytest.mark.usefixtures("fresh_plugins")
def test_a_plug_in_is_pickled_with_it(tmp_path: Path) -> None:
    plugin = tmp_path / "halving.py"
    plugin.write_text(
        "from robustmeta import corruption\n\n"
        "@corruption(levels=(0.5,), family='digital')\n"
        "def halve(x, factor, rng):\n    return factor * x\n"
    )
    halved = rm.Corrupt(f"{plugin}:halve", severity=1)
    assert torch.equal(pickle.loads(pickle.dumps(halved))(X), X // 2)
    again = pickle.loads(pickle.dumps(NOISE))
    assert (torch.equal(again(X), NOISE(X)), repr(again)) == (True, repr(NOISE))


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_change_nothing_whatever_their_number_and_order(start: str) -> None:
    transform = v2.Compose([v2.PILToTensor(), NOISE])
    want, clean = loaded(transform), loaded(v2.PILToTensor())
    assert torch.equal(want, NOISE(clean))
    workers = DataLoader(
        FakeData(COUNT, (3, 32, 32), transform=transform),
        **{"batch_size": 1, "num_workers": 2, "multiprocessing_context": start, "persistent_workers": True},
    )
    for _ in range(2):  # epochs
        assert torch.equal(torch.cat([images for images, _ in workers]), want)


def test_the_order_changes_nothing() -> None:
    transform = v2.Compose([v2.PILToTensor(), NOISE])
    shuffled = loaded(transform, shuffle=True, generator=torch.Generator().manual_seed(1))
    rows = {image.numpy().tobytes() for image in loaded(transform)}
    assert {image.numpy().tobytes() for image in shuffled} == rows
    assert len(rows) == COUNT
