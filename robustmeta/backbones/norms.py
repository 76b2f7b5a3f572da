"""The normalisations that backbones choose from.

``auto``: a query is normalised with the support's statistics where weights adapt and with running ones otherwise;
``batch``: with those of all queries together (transductive); ``support_plus_one``: with those of the support and this
one query (costly); ``per_step``: with running ones of each inner step, which has scales and shifts of its own (MAML
alone); ``group`` and ``none`` have no such statistics.
"""

from typing import Literal

from torch import nn

from robustmeta.nets import Mode, Norm

Kind = Mode | Literal["group", "none"]


def norm_layer(kind: Kind, width: int) -> nn.Module:
    """A layer that normalises maps of so many channels."""
    if kind == "none":
        return nn.Identity()
    if kind == "group":  # 16 channels a group: with fewer, the last map's few sites would be normalised away
        return nn.GroupNorm(width // 16 if width % 16 == 0 else 1, width)
    return Norm(width, kind)


def looks_at_one_image(kind: Kind) -> bool:
    """Whether features under it depend on one image alone once statistics are running ones."""
    return kind in ("auto", "per_step", "group", "none")
