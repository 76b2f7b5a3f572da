"""Lossy compression."""

import io

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor


def jpeg(image: UInt8[Tensor, "C H W"], quality: int) -> UInt8[Tensor, "C H W"]:
    """An image through a JPEG file of ``quality`` 1 to 95; one channel is stored as gray, three as 4:2:0 YCbCr."""
    pixels = image.movedim(0, -1).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if len(image) == 1 else pixels).save(file, "JPEG", quality=quality)
    decoded = np.array(Image.open(file, formats=["JPEG"]))
    return torch.from_numpy(decoded.reshape(pixels.shape)).movedim(-1, 0)
