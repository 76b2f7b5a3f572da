"""Contact sheets: rows of images with a label each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.corruptions.samples import ink, scenes
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption

Rows = Sequence[tuple[str, UInt8[Tensor, "k C H W"]]]

CELL = 0.62
"""Side of a drawn image, in inches."""
LABEL = 2.2
"""Room for the labels, in inches."""
DPI = 160


def grid(rows: Rows) -> Figure:
    """A figure with a row for each label and its images (k, C, H, W), gray or RGB, pixel by pixel.

    Raises:
        ValueError: no rows.
    """
    if not rows:
        raise ValueError("a sheet needs at least one row of images")
    strips = [_strip(images) for _, images in rows]
    size = (LABEL + CELL * max(s.shape[1] / s.shape[0] for s in strips), 1.05 * CELL * len(rows))
    figure = Figure(figsize=size, dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    for r, ((label, _), strip) in enumerate(zip(rows, strips, strict=True)):
        bottom = 1 - (r + 1) / len(rows)
        figure.text(0.1 / size[0], bottom + 0.5 / len(rows), label, va="center", fontsize=7)
        width = CELL * strip.shape[1] / strip.shape[0]
        axes = figure.add_axes((LABEL / size[0], bottom, width / size[0], CELL / size[1]))
        axes.imshow(strip, interpolation="nearest")
        axes.set_axis_off()
    return figure


def _strip(images: UInt8[Tensor, "k C H W"]) -> NDArray[np.uint8]:
    """Images side by side in colour, (H, k * (W + gap), 3), with white between them."""
    gap = max(1, images.shape[-1] // 20)
    spaced = F.pad(images.expand(-1, 3, -1, -1), (0, gap), value=255)  # (k, 3, H, W + gap)
    return spaced.permute(2, 0, 3, 1).flatten(1, 2).numpy()


def corruption_rows(corruption: Corruption, images: UInt8[Tensor, "k C H W"]) -> list[tuple[str, Tensor]]:
    """Some images clean, then at every level of every severity table."""
    rng = Rng(0, ("sheet",), range(len(images)))
    rows: list[tuple[str, Tensor]] = [("clean", images)]
    for table, levels in corruption.tables.items():
        prefix = "" if table == "levels" else f"table {table}, "
        rows += [
            (f"{prefix}severity {i}: {_short(level)}", corruption(images, level, rng))
            for i, level in enumerate(levels, 1)
        ]
    return rows


def _short(level: object) -> str:
    text = str(level)
    return text if len(text) <= 24 else text[:23] + "…"


def corruption_sheet(corruption: Corruption, path: Path, images: UInt8[Tensor, "k C H W"] | None = None) -> None:
    """Draw a corruption at all its levels into a PNG file, on the given images or on ink and coloured scenes.

    Raises:
        CellError: the corruption fails.
    """
    shown = [ink(4), scenes(4, 28)] if images is None else [images]
    parts = [corruption_rows(corruption, some) for some in shown]
    grid([_beside(rows) for rows in zip(*parts, strict=True)]).savefig(path, format="png")


def _beside(rows: Rows) -> tuple[str, Tensor]:
    """Rows of one label as one, all in colour."""
    return rows[0][0], torch.cat([images.expand(-1, 3, -1, -1) for _, images in rows])
