"""Four convolutions."""

from typing import ClassVar

from robustmeta.backbones.blocks import ConvBlocks
from robustmeta.config.components import component


@component("conv4", paper="Vinyals et al. 2016, Matching Networks for One Shot Learning, section 4.1.1")
class Conv4(ConvBlocks):
    """Four blocks of 3x3 convolution, normalisation, ReLU and halving, then all features in one row.

    Fields: width, channels of every block; down, halve by a stride of 2 (about three times as fast) or by 2x2 max
    pooling; norm, whose statistics normalise a query: the support's where weights adapt and running ones otherwise
    (``auto``), those of all queries together (``batch``, transductive), those of the support and this one query
    (``support_plus_one``, costly), running ones of each inner step with scales and shifts of its own (``per_step``,
    MAML alone), or a normalisation without such (``group``, ``none``). A stride rounds up: 28 pixels give 2x2
    features; pooling rounds down to 1x1.
    """

    depth: ClassVar[int] = 4
