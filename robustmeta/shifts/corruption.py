"""Laws that degrade images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robustmeta.core import Bytes, CellError, Images, row_chunks, to_bytes, to_float
from robustmeta.declare import table_for
from robustmeta.rng import Rng
from robustmeta.shifts.result import check_images
from robustmeta.threads import over

Pixels = NDArray[np.uint8]
CorruptionFunction = Callable[[Images, Any, Rng], Any]


@dataclass(frozen=True, eq=False)
class Corruption:
    """A law that degrades images and knows no model: ``function(x, level, rng) -> x``, x float (N, C, H, W) in [0, 1].

    Attributes:
        tables: severity tables by name ("224", "64", "32", "ink-28", or "levels" for one that fits all sizes), each a
            tuple of up to five levels, mild to strong. Empty if the user must give levels.
        family: noise, blur, weather, digital, ...
        monotone: mean distortion grows with severity (checked), unless the author says it need not.
        version: rises when the numbers change. source: hash of a plug-in's file, "" for ours.
        paper: where the law stands.
        laws: table -> whose law its levels feed ("imagecorruptions", "hendrycks", ...), where there are several.
        parity: table -> how equality with a published program is shown: "exact" (to rounding), "injected-exact" (to
            rounding under the same draws), "distributional" (equal in distribution) or "none" (worked examples only).
        in_bytes: ``in_bytes(images, level)``, the same law on images as bytes (N, C, H, W), of one that draws nothing
            and is stated on 8 bits: the shorter way for uint8 images.
        check: ``check(level)`` raises a ValidationError for a level that the function would not take, with each error
            at its argument; asked once for each level that a study gives, when the study is loaded.
        in_threads: whether several threads may be in the function at once. They may in ours, which keep no state.
    """

    name: str
    function: CorruptionFunction
    tables: Mapping[str, tuple[object, ...]]
    family: str
    version: int = 1
    monotone: bool = True
    paper: str = ""
    source: str = ""
    origin: str = ""
    module: str = ""
    laws: Mapping[str, str] = field(default_factory=dict)
    parity: Mapping[str, str] = field(default_factory=dict)
    in_bytes: Callable[[Pixels, Any], Pixels] | None = None
    check: Callable[[Any], None] | None = None
    in_threads: bool = False

    def table(self, size: int, name: str = "auto") -> tuple[str, tuple[object, ...]]:
        """The severity table for images whose short side is ``size``: its name and levels.

        ``auto``: the only table, else the largest published size not above ``size``, else the smallest published.

        Raises:
            KeyError: no table of that name.
        """
        return table_for(self.tables, size, name)

    def __call__(self, images: Bytes, level: object, rng: Rng, chunk: int = 0) -> Bytes:
        """Corrupt uint8 images; row i depends on ``rng.keys[i]`` alone. Values are cut to uint8 as np.uint8 does.

        ``chunk``: so many images at a time; 0 for as many as ``CHUNK_BYTES`` hold.

        Raises:
            CellError: the function raised, or returned another shape, NaN, or values outside [0, 1].
        """
        out = torch.empty_like(images)

        def work(rows: slice) -> None:
            if self.in_bytes:
                out[rows] = torch.from_numpy(self.in_bytes(images[rows].cpu().contiguous().numpy(), level))
            else:
                out[rows] = to_bytes(self.apply(to_float(images[rows]), level, rng.at(rows)))

        over(work, row_chunks(images, chunk), spread=self.in_threads and images.device.type == "cpu")
        return out

    def apply(self, x: Images, level: object, rng: Rng) -> Images:
        """The function on float images, its result checked. Raises as a call does."""
        try:
            y = self.function(x, level, rng)
        except Exception as error:
            raise CellError(f"corruption {self.name} raised {type(error).__name__}: {error}") from error
        return check_images(x, y, f"corruption {self.name} returned")
