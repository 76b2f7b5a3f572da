"""Sequences of images that change little from frame to frame."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from robustmeta.core import Bytes, CellError, Images, row_chunks, to_bytes, to_float
from robustmeta.declare import table_for
from robustmeta.rng import Rng
from robustmeta.shifts.result import check_images

Reference = Literal["previous", "first"]
REFERENCES = ("previous", "first")

SequenceFunction = Callable[[Images, Any, Rng], Iterator[Any]]


@dataclass(frozen=True, eq=False)
class FrameSequence:
    """A law that makes frames of images: ``function(x, level, rng) -> iterator of x``, float (N, C, H, W) in [0, 1].

    Attributes:
        tables: tables of levels by name ("224", "64", "32", or "levels" for one that fits all sizes), easy to hard.
        frames: table -> how many frames its levels make.
        reference: what a prediction is compared with: that of the previous frame, or (noise) of the first.
        validation: one for tuning, which belongs in no mean.
        family: noise, blur, weather, digital, ...
        version: rises when the numbers change. source: hash of a plug-in's file, "" for ours.
        paper: where the law stands. laws, parity: table -> whose law, and how it is shown equal, as of a corruption.
    """

    name: str
    function: SequenceFunction
    tables: Mapping[str, tuple[object, ...]]
    frames: Mapping[str, int]
    reference: Reference
    family: str
    validation: bool = False
    version: int = 1
    paper: str = ""
    source: str = ""
    origin: str = ""
    module: str = ""
    laws: Mapping[str, str] = field(default_factory=dict)
    parity: Mapping[str, str] = field(default_factory=dict)

    def table(self, size: int, name: str = "auto") -> tuple[str, tuple[object, ...]]:
        """The table for images whose short side is ``size``: its name and levels.

        ``auto``: the only table, else the largest published size not above ``size``, else the smallest published.

        Raises:
            KeyError: no table of that name.
        """
        return table_for(self.tables, size, name)

    def __call__(self, images: Bytes, level: object, rng: Rng, chunk: int = 0) -> Iterator[Bytes]:
        """Frame after frame of uint8 images, each (N, C, H, W); row i depends on ``rng.keys[i]`` alone.

        Values are cut to uint8 as np.uint8 does. ``chunk``: so many images at a time; 0 for as many as fit. All chunks
        are under way at once, so N images are held as floats.

        Raises:
            CellError: the function raised, made fewer or more frames than it says, or a frame of another shape, with
                NaN, or with values outside [0, 1].
        """
        parts = list(row_chunks(images, chunk))
        under_way = [self.play(to_float(images[rows]), level, rng.at(rows)) for rows in parts]
        for frames in zip(*under_way, strict=True):
            yield torch.cat([to_bytes(frame) for frame in frames])

    def play(self, x: Images, level: object, rng: Rng) -> Iterator[Images]:
        """The frames of float images, each checked. Raises as a call does."""
        wanted, count = {self.frames[t] for t, levels in self.tables.items() if level in levels}, 0
        try:
            for count, frame in enumerate(self.function(x, level, rng), 1):  # noqa: B007
                yield check_images(x, frame, f"sequence {self.name} made")
        except CellError:
            raise
        except Exception as error:
            raise CellError(f"sequence {self.name} raised {type(error).__name__}: {error}") from error
        if wanted and count not in wanted:  # of a level of the user's own nothing is known
            raise CellError(
                f"sequence {self.name} made {count} frames; it says {' or '.join(map(str, sorted(wanted)))}"
            )
