"""Six convolutions."""

from typing import ClassVar

from robustmeta.backbones.blocks import ConvBlocks
from robustmeta.config.components import component


@component("conv6", paper="Chen et al. 2019, A Closer Look at Few-shot Classification, section 4.1")
class Conv6(ConvBlocks):
    """conv4 with two more blocks that do not halve the image. Fields: width, down and norm as those of conv4."""

    depth: ClassVar[int] = 6
