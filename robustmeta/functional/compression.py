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
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if len(image) == 1 else pixels).save(buffer, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(buffer))).reshape(pixels.shape).movedim(-1, 0)
