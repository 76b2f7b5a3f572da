"""Example images of every domain and shift, as data URIs that any browser shows."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from robustmeta.report.findings import CLEAN, Findings
from robustmeta.store.results import Results

PIXEL_BYTES = 800_000
"""What all examples of a page may take before compression; beyond it fewer drawings are shown, then smaller ones."""
DRAWINGS = 8
SHOWN = 3


@dataclass(frozen=True)
class Picture:
    """Some drawings side by side, under their strength."""

    caption: str
    words: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Strip:
    """The pictures of one shift, mild to strong."""

    label: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Sheet:
    """All strips of one target, clean first."""

    target: str
    strips: tuple[Strip, ...]


def sheets(results: Results, found: Findings) -> tuple[Sheet, ...]:
    """A sheet for each target that has examples: a longer strip of clean drawings, then the first of them shifted."""
    shown, shrink = _fit(results.examples)
    captions = {(p.shift, p.step): f"{p.axis} {p.strength:g}" for p in found.points if p.axis != CLEAN}
    noise = results.certificates[["shift", "sigma"]].drop_duplicates().itertuples(index=False, name=None)
    captions |= {(shift, round(1000 * sigma)): f"sigma {sigma:g}" for shift, sigma in noise}
    out: dict[str, dict[str, list[Picture]]] = {}
    for (target, shift, step), images in results.examples.items():
        caption = captions.get((shift, step), "")
        words = f"Drawings of {target}, {shift} {caption}".strip()
        picture = _picture(images[: shown if caption else DRAWINGS, :, ::shrink, ::shrink], caption, words)
        out.setdefault(target, {}).setdefault(shift, []).append(picture)
    return tuple(
        Sheet(target, tuple(Strip(shift, tuple(p)) for shift, p in strips.items())) for target, strips in out.items()
    )


def _fit(examples: Mapping[tuple[str, str, int], NDArray[np.uint8]]) -> tuple[int, int]:
    """How many drawings a picture shows, and the factor by which each is thinned, so that the page stays small."""
    one = sum(images[0].size for images in examples.values())
    shrink = 1
    while one / shrink**2 > PIXEL_BYTES:
        shrink *= 2
    return max(1, min(SHOWN, int(PIXEL_BYTES * shrink**2 / max(one, 1)))), shrink


def _picture(images: NDArray[np.uint8], caption: str, words: str) -> Picture:
    row = np.concatenate(list(images.transpose(0, 2, 3, 1)), axis=1)
    picture = Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    uri = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    return Picture(caption, words, uri, picture.width, picture.height)
