"""What a corruption must stand: any size, gray and colour, one image, uint8 and float, a GPU."""

import torch
from pretended_device import GPU, PretendedGpu
from torch import Tensor

import robustmeta as rm
from robustmeta.core import to_bytes, to_float
from robustmeta.corruptions.samples import scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

SHAPES = [
    *((1, 1, 28, 28), (1, 3, 28, 28), (2, 3, 48, 64), (1, 1, 64, 48), (1, 3, 33, 29), (1, 3, 30, 200)),
    *((1, 3, 224, 160), (1, 1, 161, 224), (1, 3, 384, 512), (1, 1, 512, 512)),
]
LARGE = 100 * 100


def pictures(shape: tuple[int, ...]) -> Tensor:
    """uint8 images of that shape, with black, white and detail."""
    n, channels, height, width = shape
    images = scenes(n, max(height, width))[:, :channels, :height, :width].clone()
    images[..., :4, :4], images[..., -4:, -4:] = 0, 255
    return images


def hold(corruption: Corruption, shape: tuple[int, ...], seed: int = 7) -> None:
    """Assert that images come back whole at its mildest and strongest, and the same from uint8 and from floats."""
    images = pictures(shape)
    for severity in (3,) if shape[2] * shape[3] > LARGE else (1, 5):
        made = rm.corrupt(images, corruption, severity, seed=seed)
        exact = rm.corrupt(to_float(images), corruption, severity, seed=seed)
        place = f"{corruption.name} {severity} on {shape}"
        assert (made.dtype, exact.dtype) == (torch.uint8, torch.float32), place
        assert made.shape == exact.shape == images.shape, place
        low, high = exact.aminmax()
        assert low >= 0, place
        assert high <= 1, place
        assert torch.equal(to_bytes(exact), made), f"{place}: uint8 and float differ"


def hold_on_gpu(corruption: Corruption) -> None:
    """Assert that images on a GPU are corrupted there, as on the CPU."""
    level = corruption.table(32)[1][2]
    for images in (pictures((2, 3, 32, 32)), pictures((2, 1, 32, 32))):
        x, rng = to_float(images), Rng(1, ("gpu",), range(2))
        want = corruption.apply(x, level, rng.at(slice(None)))
        with PretendedGpu():
            made = corruption.apply(x.to(GPU), level, rng)
            assert made.device == GPU, f"{corruption.name} leaves the GPU"
            assert torch.equal(made.cpu(), want), f"{corruption.name} differs on the GPU"
